"""Collects the volumes of its clients' positions, and sends the totals of all of them to each client at a timer.

room.py has the logic and totals.py the rules that keep each client's volumes private; notes/sentiment.md explains both.
The chart and the account of this program's terminal are not used.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from demos.ideas.hub import Hub, HubError, HubSettings
from demos.ideas.hub_options import (
    CertInput,
    ClientsInput,
    HostInput,
    HostsInput,
    KeyInput,
    PerAddressInput,
    PortInput,
)
from demos.ideas.sentiment.protocol import side_fields
from demos.ideas.sentiment.room import Room, Rules
from demos.ideas.sentiment.server_inputs import (
    interval_problem,
    least_problem,
    lots_problem,
    server_name_problem,
    silence_problem,
)
from demos.terminal import (
    INIT_FAILED,
    INIT_SUCCEEDED,
    Event,
    EventKillTimer,
    EventSetMillisecondTimer,
    Fail,
    GetTickCount64,
    Input,
    Print,
    TerminalClock,
)
from demos.wire.http_hosts import option_hosts

Host: HostInput = "127.0.0.1"
Port: PortInput = 8451
cert: CertInput = ""
key: KeyInput = ""
hosts: HostsInput = ""
name: Annotated[str, Input("the server's name, which clients see", check=server_name_problem)] = "sentiment"
clients: ClientsInput = 256
per_address: PerAddressInput = 8
interval: Annotated[float, Input("seconds between two messages with the totals", check=interval_problem)] = 1.0
silence: Annotated[
    int, Input("a client that has sent no volumes for this many seconds does not count", check=silence_problem)
] = 60
most_lots: Annotated[
    float,
    Input(
        "the lots of one participant that count at most, for each symbol and side; one IP address is one participant",
        check=lots_problem,
    ),
] = 100.0
least_clients: Annotated[
    int,
    Input(
        "a total is published only if this many participants have volumes in it that no earlier total had, at least 3",
        check=least_problem,
    ),
] = 3

# At least this often the hub checks its limits, in milliseconds.
LONGEST_TIMER_MS = 1000

hub: Hub | None = None
room = Room(Rules())
due_at = 0
recorded: object = None


def OnInit() -> int:
    global hub, room
    # With --hosts a proxy on this computer may serve clients of other computers.
    lots, local_names = Decimal(repr(most_lots)), not hosts
    room = Room(Rules(name, round(interval * 1000), silence * 1000, lots, least_clients, local_names))
    settings = HubSettings(Host, Port, cert, key, option_hosts(hosts), clients, per_address)
    try:
        hub = Hub(settings, room)
    except HubError as error:
        Fail(error.code, str(error))
        return INIT_FAILED
    if not local_names:
        Print("with --hosts, all clients on this computer, and behind a proxy on it, count as one participant")
    EventSetMillisecondTimer(min(room.rules.interval_ms, LONGEST_TIMER_MS))
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    if hub is not None:
        hub.close()


def OnTimer() -> None:
    assert hub is not None
    PublishTotals(hub)
    hub.timer()


def OnSocket(s: int, ready: int) -> None:
    assert hub is not None
    hub.ready(s, ready)


def PublishTotals(hub: Hub) -> None:
    """Publish when the interval is over. The hub sends the totals to each client whose earlier output is sent."""
    global due_at, recorded
    now, period = GetTickCount64(), room.rules.interval_ms
    if not hub.is_listening or now < due_at:
        return
    due_at = max(due_at, now - period) + period
    room.publish(now, TerminalClock().utc_ms())
    present = (room.participants, room.totals)
    if present != recorded:
        recorded = present
        totals = {smb: [side_fields(total.long), side_fields(total.short)] for smb, total in room.totals.items()}
        Event("published", participants=present[0], totals=totals)
    hub.pump()
