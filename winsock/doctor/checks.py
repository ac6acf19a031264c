"""The checks of this machine: WSAStartup, round trips on loopback, local addresses, and reaching a server."""

from __future__ import annotations

import ctypes
import platform
from ctypes import sizeof
from ipaddress import IPv6Address
from time import perf_counter

import winsock
from winsock import (
    AF_INET,
    AF_INET6,
    BACKEND,
    HIBYTE,
    LOBYTE,
    MAKEWORD,
    WSADATA,
    WSAEADDRNOTAVAIL,
    WSAECONNREFUSED,
    WSAStartup,
)

from .advice import advice_for
from .findings import Failure, Finding, failure
from .ports import describe, listening_sockets
from .probes import (
    LIMIT,
    Address,
    InvalidHost,
    resolve,
    tcp_round_trip,
    try_bind,
    try_connect,
    udp_round_trip,
)

__all__ = ["Address", "address_is_local", "machine", "reach", "resolve", "start"]


def start() -> Finding:
    """Calls WSAStartup; after success the caller calls WSACleanup."""
    data = WSADATA()
    code = WSAStartup(MAKEWORD(2, 2), data)
    if code:
        return failure("start-up", Failure("WSAStartup", code))
    version = data.wVersion
    return Finding(True, "start-up", f"WSAStartup succeeded; Winsock {LOBYTE(version)}.{HIBYTE(version)}")


def machine() -> list[Finding]:
    """The versions, the width of a pointer, and round trips on loopback."""
    bits = 8 * sizeof(ctypes.c_void_p)
    mode = getattr(winsock.calls, "MODE", "")
    accelerated = "with" if getattr(winsock.calls, "ACCELERATED", False) else "without"
    backend = f"{BACKEND} (cffi {mode.upper()} mode, {accelerated} the accelerator)" if mode else BACKEND
    python = f"winsock {winsock.__version__}, Python {platform.python_version()} on {platform.system()}"
    findings = [
        Finding(None, "backend", f"{backend}; {python}", facts={"backend": BACKEND, "mode": mode}),
        Finding(
            None,
            "bits",
            f"{bits}: a pointer and a SOCKET have {bits // 8} bytes, WSADATA has {sizeof(WSADATA)}; a program and its "
            "DLLs must have the same width",
            facts={"bits": bits},
        ),
    ]
    for what, round_trip, family in (
        ("TCP on loopback", tcp_round_trip, AF_INET),
        ("UDP on loopback", udp_round_trip, AF_INET),
        ("TCP over IPv6", tcp_round_trip, AF_INET6),
    ):
        begun = perf_counter()
        try:
            round_trip(family)
        except Failure as failed:
            found = failure(what, failed)
            if family == AF_INET6:
                # Not an error: many machines have no IPv6.
                found = Finding(None, what, f"not available: {failed}", facts=found.facts)
            findings.append(found)
        else:
            took = 1000 * (perf_counter() - begun)
            text = f"round trip in {took:.1f} ms, including the creation of the sockets"
            findings.append(Finding(True, what, text, facts={"ms": round(took, 3)}))
    return findings


def address_is_local(text: str) -> Finding:
    """Whether an address belongs to this machine, so that a server can bind to it."""
    what = f"address {text}"
    try:
        for address in resolve(text, 0):
            finding = _not_bindable(what, address)
            if finding:
                return finding
    except InvalidHost as invalid:
        return Finding(False, what, str(invalid))
    except Failure as failed:
        return failure(what, failed)
    return Finding(True, what, "an address of this machine: a server can bind to it", facts={"local": True})


def _not_bindable(what: str, address: Address) -> Finding | None:
    """The finding if a server cannot bind to this address."""
    try:
        try_bind(address)
    except Failure as failed:
        advice = _own_advice(address) or advice_for(failed.code)
        if failed.call != "bind" or failed.code != WSAEADDRNOTAVAIL:
            return failure(what, failed)._replace(advice=advice)
        facts = {"local": False, "error": WSAEADDRNOTAVAIL}
        return Finding(False, what, f"not an address of this machine: {failed}", advice, facts)
    return None


def _own_advice(address: Address) -> str:
    """What to do if bind refuses an address of this form; "" for the advice for the error."""
    if address.family != AF_INET6:
        return ""
    ip = IPv6Address(address.name[8:24])
    if ip.ipv4_mapped:
        return f"It is an IPv4 address in the form of IPv6: use {ip.ipv4_mapped}."
    if ip.is_link_local and not any(address.name[24:28]):
        return "A link-local address is valid on one network only: add the number of the interface, such as fe80::1%2."
    return ""


def reach(host: str, port: int, seconds: float = LIMIT) -> list[Finding]:
    """Whether a client can connect to each address of the host, and how long that takes."""
    begun = perf_counter()
    try:
        addresses = resolve(host, port)
    except InvalidHost as invalid:
        return [Finding(False, f"name {host}", str(invalid))]
    except Failure as failed:
        return [failure(f"name {host}", failed)]
    found = ", ".join(address.text for address in addresses)
    took = 1000 * (perf_counter() - begun)
    findings = [Finding(None, f"name {host}", f"{found} (resolved in {took:.1f} ms)")]
    tries = [_reach(address, port, seconds) for address in addresses]
    if any(finding.ok for finding in tries):
        # One address is enough: clients try all addresses of a name.
        tries = [finding if finding.ok else finding._replace(ok=None, advice="") for finding in tries]
    return findings + tries


def _reach(address: Address, port: int, seconds: float) -> Finding:
    begun = perf_counter()
    try:
        try_connect(address, seconds)
    except Failure as failed:
        took = 1000 * (perf_counter() - begun)
        facts = {"ms": round(took, 3), "error": failed.code}
        text = f"{failed} After {took:.1f} ms."
        advice = advice_for(failed.code)
        listening = listening_sockets(port) if _is_local(address) else []
        elsewhere = [entry for entry in listening if entry.local != address.text]
        if failed.code == WSAECONNREFUSED and elsewhere:
            advice = f"A server listens on this port, but not on this address: {describe(elsewhere)}. Connect to that "
            advice += "address, or bind the server to 0.0.0.0."
        return Finding(False, f"connect to {address.text}", text, advice, facts)
    took = 1000 * (perf_counter() - begun)
    facts = {"ms": round(took, 3)}
    return Finding(True, f"connect to {address.text}", f"connected in {took:.1f} ms", facts=facts)


def _is_local(address: Address) -> bool:
    # Bind to the same address with port 0, which means any free port.
    try:
        try_bind(address._replace(name=address.name[:2] + bytes(2) + address.name[4:]))
    except Failure:
        return False
    return True
