"""The table of sockets on Linux: /proc/net, and the open files of each process in /proc/PID/fd."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from .socket_entry import SocketEntry

__all__ = ["all_sockets"]

# include/net/tcp_states.h. A UDP socket with a peer is in state 1, one without a peer in state 7 (TCP: closed).
_STATES = {
    1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECV", 4: "FIN_WAIT1", 5: "FIN_WAIT2", 6: "TIME_WAIT", 7: "BOUND",
    8: "CLOSE_WAIT", 9: "LAST_ACK", 10: "LISTEN", 11: "CLOSING", 12: "SYN_RECV",
}  # fmt: skip
_PROC = Path("/proc")


def all_sockets(protocol: str, proc: Path = _PROC) -> list[SocketEntry] | None:
    """All TCP or UDP sockets, with their processes where this user may see them; None without /proc."""
    rows = []
    tables = [proc / "net" / name for name in (protocol.lower(), f"{protocol.lower()}6")]
    if not any(table.exists() for table in tables):
        return None
    owners = dict(_owners(proc))
    for table in tables:
        if not table.exists():
            continue  # the kernel has no IPv6
        for line in table.read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            pid, program = owners.get(fields[9], (None, ""))
            peer = _address(fields[2])
            no_peer = peer.endswith(":0")
            state = _STATES.get(int(fields[3], 16), fields[3])
            rows.append(SocketEntry(protocol, _address(fields[1]), "" if no_peer else peer, state, pid, program))
    return rows


def _address(text: str) -> str:
    """Converts 0100007F:1F91 to 127.0.0.1:8081: 32-bit words in host byte order, and the port as a number."""
    digits, _, port = text.partition(":")
    words = [bytes.fromhex(digits[start : start + 8]) for start in range(0, len(digits), 8)]
    raw = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    host = str(IPv4Address(raw)) if len(raw) == 4 else f"[{IPv6Address(raw)}]"
    return f"{host}:{int(port, 16)}"


def _owners(proc: Path) -> Iterator[tuple[str, tuple[int, str]]]:
    """For each open socket of the visible processes: its inode, and the process's id and name."""
    for process in proc.glob("[0-9]*"):
        try:
            descriptors = list((process / "fd").iterdir())
            program = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            continue  # a process of another user, or one that has just ended
        for descriptor in descriptors:
            try:
                target = os.readlink(descriptor)
            except OSError:
                continue  # closed in the meantime, like the descriptor that iterdir used
            if found := re.fullmatch(r"socket:\[(\d+)\]", target):
                yield found[1], (int(process.name), program)
