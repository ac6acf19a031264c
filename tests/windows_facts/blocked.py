"""Calls that block in another thread while this one does something to their socket."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tests.conformance.kit import pause
from tests.conformance.recorder import Json, error_name
from winsock import INVALID_SOCKET, SOCKET_ERROR, WSAGetLastError

# In milliseconds: for a call of another thread to begin to wait, and to show that it still waits. No call reports that
# a thread waits.
MOMENT = 80
STILL_WAITS = "still waits"
# In seconds. An answer comes at once; the limit is for a call that never ends.
LIMIT = 4.0


class Blocked:
    """A call in a thread of its own, which waits by the time the constructor returns."""

    def __init__(self, call: Callable[[], int]) -> None:
        self._result: Json = STILL_WAITS
        self._runs = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self._thread.start()
        assert self._runs.wait(LIMIT), "the thread does not start"
        pause(MOMENT)

    def _run(self, call: Callable[[], int]) -> None:
        self._runs.set()
        result = call()
        failed = result in (SOCKET_ERROR, INVALID_SOCKET)
        self._result = error_name(WSAGetLastError()) if failed else result

    def now(self) -> Json:
        """The call's result or error, or "still waits" if it goes on for another moment."""
        self._thread.join(MOMENT / 1000)
        return self._result

    def end(self) -> Json:
        """The call's result or error, once it has ended."""
        self._thread.join(LIMIT)
        return self._result
