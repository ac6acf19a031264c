"""What all experts of a server share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from demos.provider.dashboard import Dashboard
from demos.provider.login_desk import LoginDesk
from demos.provider.operator_session import Action, OperatorSession
from demos.provider.session import Ending
from demos.provider.topics import Topics
from demos.terminal.interfaces import Clock
from demos.wire.tls_contexts import CertificateFiles
from demos.wire.web_server import HostCheck

# The setting in the state file by which a pause survives a restart.
PAUSE_SETTING, PAUSED_VALUE = "pause", "paused"

PAUSED = Ending("paused", "the operator has paused the provider: try again later")
CLOSING = Ending("closing", "the provider ends")


@dataclass(eq=False)
class Shared:
    """One for all experts. All of it may be used in any thread.

    ``report`` gets lines for the log, and ``event`` events for other programs.
    ``granted`` and ``ended`` are called with a connection's number when its login was granted, and when it has ended.
    ``act`` does what an operator has confirmed, and reports the result to the session in the expert's thread.
    ``paused``: the operator has paused the provider.
    """

    server_name: str
    topics: Topics
    desk: LoginDesk
    dashboard: Dashboard
    check_host: HostCheck
    certificate: CertificateFiles | None
    clock: Clock
    report: Callable[[str], None]
    event: Callable[[str, dict[str, object]], None]
    granted: Callable[[int], None]
    ended: Callable[[int], None]
    act: Callable[[Shared, Action, OperatorSession, Callable[[Callable[[], None]], None]], None]
    paused: bool = False
