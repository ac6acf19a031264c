"""For tests of programs that use winsock: scripted peers, open sockets, free ports. notes/testing.md teaches it."""

from .peer import Address, Peer
from .running import RunningPeer

__all__ = ["Address", "Peer", "RunningPeer"]
