"""Random programs on two hosts with loss: what arrives is what was sent, and everything comes to an end."""

from __future__ import annotations

import errno
import sys
from random import Random

import pytest
from simulated_hosts_kit import MILLISECOND, SECOND, Host, Wire

from winsock import constants as c

_GONE = {-errno.ECONNRESET, -errno.ETIMEDOUT, -errno.EPIPE, -errno.ENOTCONN}


class _End:
    """One end of a connection: what its program has sent and received."""

    def __init__(self, host: Host, fd: int) -> None:
        self.host, self.fd = host, fd
        self.sent, self.received = bytearray(), bytearray()
        self.send_ended = self.failed = self.at_end = False

    def send(self, random: Random) -> None:
        data = random.randbytes(random.choice((1, 10, 2000, 100_000)))
        count = self.host.system.send(self.fd, data, 0)
        if count > 0:
            self.sent += data[:count]
        elif count != -errno.EAGAIN:
            self._end_with(count)

    def receive(self, size: int) -> None:
        data = self.host.receive(self.fd, size)
        if isinstance(data, bytes):
            self.received += data
            self.at_end |= not data
        elif data != -errno.EAGAIN:
            self._end_with(data)

    def _end_with(self, result: int) -> None:
        assert result in _GONE
        assert self.send_ended or result != -errno.EPIPE or self.failed or self.host.system.is_connection_gone(self.fd)
        self.failed = True

    def end(self) -> None:
        self.host.system.shutdown_send(self.fd)
        self.send_ended = True


def _connect(wire: Wire) -> tuple[_End, _End]:
    server, client = Host(wire, "10.0.0.1"), Host(wire, "10.0.0.2")
    listener = server.listener("10.0.0.1", 80)
    fd = client.connect("10.0.0.1", 80)
    wire.run(20 * SECOND)
    accepted = server.accept(listener)
    server.close(listener)
    return _End(server, accepted), _End(client, fd)


# Fewer on Windows: the simulated kernel is the same code there.
@pytest.mark.parametrize("seed", range(10 if sys.platform == "win32" else 30))
def test_each_side_receives_what_the_other_has_sent(seed: int) -> None:
    wire, random = Wire(), Random(seed)
    ends = _connect(wire)
    loss, steps = random.choice((0.0, 0.01, 0.1, 0.3)), random.randrange(20, 200)
    wire.drop = lambda packet: random.random() < loss
    for end in ends:
        end.host.system.set_option(end.fd, c.IPPROTO_TCP, c.TCP_NODELAY, random.randrange(2))
    for _ in range(steps):
        end = random.choice(ends)
        if random.random() < 0.5 and not end.send_ended and not end.failed:
            end.send(random)
        else:
            end.receive(random.choice((1, 100, 100_000)))
        wire.run(wire.now + random.choice((0, 5, 50, 500)) * MILLISECOND)
    wire.drop = lambda packet: False
    for end in ends:
        end.end()
    for _ in range(400):
        wire.run(wire.now + 500 * MILLISECOND)
        for end in ends:
            end.receive(1 << 20)
    one, two = ends
    for receiver, sender in ((one, two), (two, one)):
        assert sender.sent.startswith(receiver.received)
        if not one.failed and not two.failed:
            assert receiver.at_end
            assert receiver.received == sender.sent
    assert loss > 0.1 or not (one.failed or two.failed)
    for end in ends:
        end.host.close(end.fd)
    wire.run(wire.now + 200 * SECOND)
    assert one.host.stack.sockets() == two.host.stack.sockets() == []
    assert wire.pending() == 0
