"""Linux' tables of sockets: /proc/net, and the open files of each process."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from .holders import Holder

__all__ = ["all_sockets"]

# include/net/tcp_states.h; a datagram socket is established when it has a peer, else closed.
_STATES = {
    1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECV", 4: "FIN_WAIT1", 5: "FIN_WAIT2", 6: "TIME_WAIT", 7: "BOUND",
    8: "CLOSE_WAIT", 9: "LAST_ACK", 10: "LISTEN", 11: "CLOSING", 12: "SYN_RECV",
}  # fmt: skip
_PROC = Path("/proc")


def all_sockets(protocol: str, proc: Path = _PROC) -> list[Holder] | None:
    """Every TCP or UDP socket, with its process if this user may see it; None without /proc."""
    rows = []
    tables = [proc / "net" / name for name in (protocol.lower(), f"{protocol.lower()}6")]
    if not any(table.exists() for table in tables):
        return None
    owners = dict(_owners(proc))
    for table in tables:
        if not table.exists():
            continue  # a kernel without IPv6
        for line in table.read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            pid, program = owners.get(fields[9], (None, ""))
            peer = _address(fields[2])
            no_peer = peer.endswith(":0")
            state = _STATES.get(int(fields[3], 16), fields[3])
            rows.append(Holder(protocol, _address(fields[1]), "" if no_peer else peer, state, pid, program))
    return rows


def _address(text: str) -> str:
    """0100007F:1F91 as 127.0.0.1:8081: words in the host's order, the port as a number."""
    digits, _, port = text.partition(":")
    words = [bytes.fromhex(digits[start : start + 8]) for start in range(0, len(digits), 8)]
    raw = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    host = str(IPv4Address(raw)) if len(raw) == 4 else f"[{IPv6Address(raw)}]"
    return f"{host}:{int(port, 16)}"


def _owners(proc: Path) -> Iterator[tuple[str, tuple[int, str]]]:
    """The inode of each socket that a process of this user has open, and that process."""
    for process in proc.glob("[0-9]*"):
        try:
            descriptors = list((process / "fd").iterdir())
            program = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            continue  # another user's, or one that has just ended
        for descriptor in descriptors:
            try:
                target = os.readlink(descriptor)
            except OSError:
                continue  # closed meanwhile, as that of the folder itself
            if found := re.fullmatch(r"socket:\[(\d+)\]", target):
                yield found[1], (int(process.name), program)
