"""Which TCP connections two hosts have with each other, and what waits in them."""

from __future__ import annotations

from winsock.simulation.hosts import Host
from winsock.simulation.kernel.packets import Address

_ESTABLISHED = "ESTABLISHED"


def connections_of(host: Host, other: Host) -> dict[tuple[Address, Address], int]:
    """By the two ends, the bytes in the four buffers of each connection that both hosts have."""
    ours, theirs = _queued(host), _queued(other)
    return {(one, two): queued + theirs[two, one] for (one, two), queued in ours.items() if (two, one) in theirs}


def is_frozen(host: Host, name: str) -> bool:
    """Whether the process does not exist or can do nothing now."""
    process = host.process(name)
    return process is None or any(task.frozen for task in process.tasks)


def _queued(host: Host) -> dict[tuple[Address, Address], int]:
    return {
        (info.local, info.peer): info.send_queue + info.receive_queue
        for info in host.stack.sockets()
        if info.owner and info.peer is not None and info.state == _ESTABLISHED
    }
