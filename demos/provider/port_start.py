"""How a program begins to listen on its subscribers' port: at its start, or later if the host name is not resolved."""

from __future__ import annotations

from collections.abc import Callable

from demos.provider.subscribers_port import ServiceError
from demos.terminal import Fail, GetTickCount64, Print
from demos.wire.addresses import Address
from demos.wire.backoff import Backoff
from demos.wire.listening import StartError


def start_port(open_port: Callable[[], Address], starting: Backoff) -> Address | None:
    """Listen if an attempt is due; returns the address, or None. ``starting`` has the pauses between attempts.

    Any error ends the program, unless the host name cannot be resolved at present.
    """
    if not starting.is_due(GetTickCount64()):
        return None
    try:
        address = open_port()
    except ServiceError as error:
        Fail(error.code, str(error))
        return None
    except StartError as error:
        if not error.temporary:
            Fail(3, str(error))
        elif starting.failed(GetTickCount64()):
            Print(f"-{error} {starting.retry_text()}")
        return None
    starting.succeeded()
    return address
