"""Listen queues: what a second listen changes."""

from __future__ import annotations

from tests.conformance.kit import bound, done, tcp
from tests.conformance.recorder import Json
from winsock import listen

from ..facts import DOCUMENTED, Topic, answer

topic = Topic("queues")

LISTEN = "https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-listen"


@topic.fact(
    "listen", "on a socket that already listens", windows=[0], source=f"{LISTEN}: remarks", certainty=DOCUMENTED
)
def a_second_listen_succeeds() -> Json:
    s = bound(tcp())
    done(listen(s, 1))
    return answer("listen", listen(s, 5))
