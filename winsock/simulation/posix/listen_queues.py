"""Whether a listener on this host has a full queue."""

from __future__ import annotations

from ..kernel.listeners import Listener
from ..kernel.stack import Stack
from .address_names import address_of


def is_full(stack: Stack, peer: bytes) -> bool | None:
    """Whether the queue is full of the listener that a client reaches at `peer`; None where that is another host."""
    address = address_of(peer)
    if not stack.interfaces.is_own(address.ip):
        return None
    listener = stack.tcp.find_listener(address)
    return isinstance(listener, Listener) and listener.is_full()
