"""Compares the addresses of sockets as a trace shows them, such as 127.0.0.1:8081."""

from __future__ import annotations

from .ip_headers import parsed

__all__ = ["host_and_port", "same_address"]

_WILDCARDS = ("0.0.0.0", "[::]")


def same_address(one: str, other: str) -> bool:
    """Whether two texts can be the same address; 0.0.0.0 and [::] match any address with the same port."""
    (host, _, port), (other_host, _, other_port) = one.rpartition(":"), other.rpartition(":")
    hosts = _unmapped(host) == _unmapped(other_host) or host in _WILDCARDS or other_host in _WILDCARDS
    return hosts and port == other_port and port not in ("", "0")


def _unmapped(host: str) -> str:
    """A host; for an IPv4 address that is mapped into IPv6, the IPv4 address, which the other end uses."""
    address = parsed(f"{host}:0") if host.startswith("[::ffff:") else None
    return str(address.host) if address else host


def host_and_port(address: str) -> tuple[str, str]:
    """The parts of an address; the host is "" if the address can be any of its machine."""
    host, _, port = address.rpartition(":")
    return "" if host in _WILDCARDS else _unmapped(host), port
