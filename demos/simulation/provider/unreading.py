"""A subscriber that acknowledges what it has received and then reads nothing more, and what the provider does with it.

It asks for so many answers that the send buffer of its connection fills. From then on it acknowledges and asks for the
state again once a second, so the provider hears from it all the time. The provider must drop it, and prepare nothing
more for it meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator

from wsproto.events import Ping

from demos.provider.messages import VERSION, Ack, Login, Resync, Snapshot
from demos.provider.protocol import decode_from_server, encode
from demos.provider.service import Service
from demos.simulation.process_context import process_context
from demos.simulation.provider.rogue import Rogue, now_ms
from demos.simulation.scenario import Violation
from demos.wire.channel import LIMITS
from demos.wire.opening import start_winsock
from demos.wire.websocket import WebSocket
from winsock.simulation.dispatch import running_process
from winsock.simulation.hosts import Host

# The answers to these pings fill a receive and a send buffer of 64 KiB. The provider allows 600 frames at once, and
# then 100 a second.
_PINGS, _PAYLOAD = (550, 180, 180), 125

# Seconds: until the snapshot has arrived and between pings, the time without reading, and the pause before each
# connection.
_LISTEN_S = 2.0
_UNREAD_S = 60
_PAUSES = (5.0, 90.0)
# The number of such connections in a run; their pings take much of its CPU time.
_CONNECTIONS = 2

# A connection with this many bytes in its send buffer, always the same ones, is full: its peer does not read. The
# provider drops it after its limit and a turn of its timer; if it was frozen meanwhile, later.
_FULL = 48 * 1024
_DROPPED_S = LIMITS.stalled_ms / 1000 + 5.0


class UnreadingSubscriber(Rogue):
    """See the head of this module; run() is the program. The login is the prey's ``slow_login``."""

    def run(self) -> None:
        """Subscribe until it has filled some connections."""
        process, filled = running_process(), 0
        with process_context():
            start_winsock()
            while filled < _CONNECTIONS:
                process.sleep(self._chance.uniform(*_PAUSES))
                if (websocket := self._open(receive_buffer=1024)) is not None:
                    filled += self._subscribe(websocket)
                    websocket.stream.close("")

    def _subscribe(self, websocket: WebSocket) -> bool:
        """Subscribe and read nothing more; whether it has got the state before."""
        process, received = running_process(), list[tuple[str, str]]()
        login = Login(VERSION, self._prey.slow_login, password=self._prey.slow_password)
        websocket.send_text(encode(login), now_ms())
        self._listen(websocket, "", _LISTEN_S, received)
        messages = [decode_from_server(text) for _, text in received]
        state = next((each for each in messages if isinstance(each, Snapshot)), None)
        if state is None or not websocket.is_open:
            return False
        ping = Ping(payload=bytes(_PAYLOAD))
        for count in _PINGS:
            websocket.stream.send(b"".join(bytes(websocket.connection.send(ping)) for _ in range(count)), now_ms())
            process.sleep(_LISTEN_S)
            websocket.stream.flush(now_ms())
        for _ in range(_UNREAD_S):
            if not websocket.is_open:
                break
            websocket.send_text(encode(Ack(state.stream, state.seq)), now_ms())
            websocket.send_text(encode(Resync()), now_ms())
            process.sleep(1.0)
            websocket.stream.flush(now_ms())
        return True


class FullConnections:
    """The connections of the provider's host whose peers read nothing, looked at once in each second."""

    def __init__(self, provider: Host) -> None:
        self._provider = provider
        # By peer: the bytes in the send buffer, since when it is full, and the newest state that was prepared then.
        self._full: dict[tuple[bytes, int], tuple[int, float, int]] = {}

    def check(self, now: float, service: Service | None, *, frozen: bool) -> Iterator[Violation]:
        """Compare with the second before; ``frozen``: whether the provider could not do anything now."""
        before, self._full = self._full, {}
        seqs = _prepared(service)
        for info in self._provider.stack.sockets():
            if info.peer is None or not info.owner or info.send_queue < _FULL:
                continue
            peer = (info.peer.ip, info.peer.port)
            seq = seqs.get(info.peer.port, 0)
            queue, since, first_seq = before.get(peer, (0, now, seq))
            if queue != info.send_queue or frozen:
                since, first_seq = now, seq
            self._full[peer] = (info.send_queue, since, first_seq)
            name = f"the connection to port {info.peer.port}"
            if now - since > _DROPPED_S:
                yield Violation("a peer that does not read is dropped", f"{name} is full since {since} s")
            # The state that did not fit, and no other one.
            if first_seq and seq > first_seq:
                yield Violation(
                    "nothing is prepared for a peer that does not read",
                    f"{name} is full since {since} s with state {first_seq}, and state {seq} waits too",
                )


def _prepared(service: Service | None) -> dict[int, int]:
    """The newest state that was prepared for each subscriber that has unsent output, by its port."""
    return {
        int(connection.name.rpartition(":")[2]): connection.session.subscription.sent_seq
        for expert in ([] if service is None else service.experts)
        for connection in expert.clients.connections.values()
        if connection.stream.unsent and connection.session and connection.session.subscription
    }
