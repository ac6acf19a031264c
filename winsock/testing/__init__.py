"""For tests of programs that use winsock: scripted peers, sockets that were left open, free ports.

    with Peer().accept().send(b"<<EURUSD|0.").wait(0.2).send(b"25>>\\0").reset().start() as peer:
        ...    # the program connects to peer.port

`Peer` is the script of the other side of a connection. `started` starts Winsock for a block and reports the sockets
that the block leaves open. `reserved_ports` finds free ports. They need no test framework. The pytest plugin
`winsock_pytest` has a fixture for each of them, and one for a simulated network. notes/testing.md teaches all of it.
"""

from .open_sockets import started
from .peer import Address, Peer
from .ports import PortReservations, reserved_ports
from .running import RunningPeer

__all__ = ["Address", "Peer", "PortReservations", "RunningPeer", "reserved_ports", "started"]
