"""Packets, and the addresses that they carry."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import NamedTuple


class Address(NamedTuple):
    """An IP address of 4 or 16 bytes, and a port. An IPv4-mapped IPv6 address is written as IPv4."""

    ip: bytes
    port: int

    def __str__(self) -> str:
        text = str(ipaddress.ip_address(self.ip))
        return f"{text}:{self.port}" if len(self.ip) == 4 else f"[{text}]:{self.port}"


# Flags of a TCP packet.
SYN, ACK, FIN, RST, URG = 1, 2, 4, 8, 16
# "udp": an ICMP message says that no socket has the port. Source and destination are those of the answer.
UNREACHABLE = 32
_FLAG_NAMES = {SYN: "SYN", ACK: "ACK", FIN: "FIN", RST: "RST", URG: "URG", UNREACHABLE: "UNREACHABLE"}
_TCP_HEADER, _UDP_HEADER, _IPV4_HEADER, _IPV6_HEADER = 20, 8, 20, 40


@dataclass(slots=True, eq=False)
class Packet:
    """One packet of a datagram, or of a stream: then it may carry up to 64 KB, more than a real segment.

    `seq`, `ack` and `urgent` count bytes since the start of the simulation and never wrap; `urgent` is the number of
    the urgent byte. `ttl` is the number of routers that it may pass.
    """

    protocol: str  # "tcp" or "udp"
    source: Address
    destination: Address
    flags: int = 0
    seq: int = 0
    ack: int = 0
    window: int = 0
    payload: bytes = b""
    urgent: int = 0
    ttl: int = 128

    @property
    def size(self) -> int:
        """The bytes on the wire, as if it were one IP packet."""
        header = _IPV4_HEADER if len(self.destination.ip) == 4 else _IPV6_HEADER
        return header + (_TCP_HEADER if self.protocol == "tcp" else _UDP_HEADER) + len(self.payload)

    @property
    def opens_flow(self) -> bool:
        """Whether it is the first packet of a connection."""
        return self.flags & (SYN | ACK) == SYN

    def __str__(self) -> str:
        """One line without the payload."""
        names = "|".join(name for flag, name in _FLAG_NAMES.items() if self.flags & flag)
        numbers = f" seq={self.seq} ack={self.ack} window={self.window}" if self.protocol == "tcp" else ""
        return f"{self.protocol} {self.source} > {self.destination} {names or '-'}{numbers} {len(self.payload)} bytes"
