"""The checks of the machine: start-up, round trips on loopback, addresses, and ways to others."""

from __future__ import annotations

import ctypes
import platform
from ctypes import sizeof
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
    WSAErrorDescript,
    WSAStartup,
)

from .advice import advice_for
from .findings import Failure, Finding, failure
from .holders import held_by, listening
from .trips import LIMIT, Address, bind_once, connect_within, resolve, tcp, udp

__all__ = ["Address", "address_is_local", "machine", "reach", "resolve", "start"]


def start() -> Finding:
    """WSAStartup, and what it answered."""
    data = WSADATA()
    code = WSAStartup(MAKEWORD(2, 2), data)
    if code:
        return failure("start-up", Failure("WSAStartup", code))
    version = data.wVersion
    return Finding(True, "start-up", f"WSAStartup gives Winsock {LOBYTE(version)}.{HIBYTE(version)}")


def machine() -> list[Finding]:
    """What runs here, and whether it can talk to itself."""
    bits = 8 * sizeof(ctypes.c_void_p)
    mode = getattr(winsock.calls, "MODE", "")
    backend = f"{BACKEND} (cffi {mode.upper()} mode)" if mode else BACKEND
    python = f"winsock {winsock.__version__}, Python {platform.python_version()} on {platform.system()}"
    findings = [
        Finding(None, "backend", f"{backend}; {python}", facts={"backend": BACKEND, "mode": mode}),
        Finding(
            None,
            "bits",
            f"{bits}: a pointer and a SOCKET have {bits // 8} bytes, WSADATA {sizeof(WSADATA)}; a program and its DLLs "
            "must agree",
            facts={"bits": bits},
        ),
    ]
    for what, trip, family in (
        ("TCP on loopback", tcp, AF_INET),
        ("UDP on loopback", udp, AF_INET),
        ("TCP by IPv6", tcp, AF_INET6),
    ):
        begun = perf_counter()
        try:
            trip(family)
        except Failure as failed:
            found = failure(what, failed)
            if family == AF_INET6:
                # Few need it, and many machines do without.
                found = Finding(None, what, f"not here: {failed}", facts=found.facts)
            findings.append(found)
        else:
            took = 1000 * (perf_counter() - begun)
            text = f"there and back in {took:.1f} ms, sockets and all"
            findings.append(Finding(True, what, text, facts={"ms": round(took, 3)}))
    return findings


def address_is_local(text: str) -> Finding:
    """Whether an address is of this machine: only then a socket can be bound to it."""
    what = f"address {text}"
    try:
        for address in resolve(text, 0):
            bind_once(address)
    except Failure as failed:
        if failed.call == "bind" and failed.code == WSAEADDRNOTAVAIL:
            return Finding(
                False,
                what,
                f"not of this machine: bind says {WSAErrorDescript(failed.code)}",
                advice_for(failed.code),
                {"local": False, "error": failed.code},
            )
        return failure(what, failed)
    return Finding(True, what, "of this machine: a server can bind to it", facts={"local": True})


def reach(host: str, port: int, seconds: float = LIMIT) -> list[Finding]:
    """Whether a client can connect: by each address of the host, with the time that it took."""
    begun = perf_counter()
    try:
        addresses = resolve(host, port)
    except Failure as failed:
        return [failure(f"name {host}", failed)]
    found = ", ".join(address.text for address in addresses)
    took = 1000 * (perf_counter() - begun)
    findings = [Finding(None, f"name {host}", f"{found} in {took:.1f} ms")]
    tries = [_reach(address, port, seconds) for address in addresses]
    if any(finding.ok for finding in tries):
        # A name that also has an address where nobody listens is no fault; clients try the next one.
        tries = [finding if finding.ok else finding._replace(ok=None, advice="") for finding in tries]
    return findings + tries


def _reach(address: Address, port: int, seconds: float) -> Finding:
    begun = perf_counter()
    try:
        connect_within(address, seconds)
    except Failure as failed:
        took = 1000 * (perf_counter() - begun)
        facts = {"ms": round(took, 3), "error": failed.code}
        text = f"{failed} After {took:.1f} ms."
        advice = advice_for(failed.code)
        elsewhere = [row for row in listening(port) if row.local != address.text] if _is_here(address) else []
        if failed.code == WSAECONNREFUSED and elsewhere:
            advice = f"Something listens on this port, but not on this address: {held_by(elsewhere)}. Connect to that "
            advice += "address, or bind the server to 0.0.0.0."
        return Finding(False, f"connect to {address.text}", text, advice, facts)
    took = 1000 * (perf_counter() - begun)
    facts = {"ms": round(took, 3)}
    return Finding(True, f"connect to {address.text}", f"connected in {took:.1f} ms", facts=facts)


def _is_here(address: Address) -> bool:
    # The same address with port 0, which is always free.
    try:
        bind_once(address._replace(name=address.name[:2] + bytes(2) + address.name[4:]))
    except Failure:
        return False
    return True
