"""TCP keep-alive: how both sides notice a peer that has disappeared without closing the connection.

A connection without traffic looks the same whether the peer is silent, unplugged or forgotten by a router. With
keep-alive the system sends a probe after IDLE_S seconds of silence, then one every INTERVAL_S seconds. After PROBES
probes without an answer the connection fails. It does not notice a program that is frozen: its system still answers.
"""

from __future__ import annotations

from ctypes import c_int, sizeof

from winsock import (
    IPPROTO_TCP,
    NO_ERROR,
    SO_KEEPALIVE,
    SOL_SOCKET,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    WSAErrorDescript,
    WSAGetLastError,
    setsockopt,
)

# A peer that has disappeared is noticed after about 45 seconds.
IDLE_S = 30
INTERVAL_S = 5
PROBES = 3

_OPTIONS = (
    (SOL_SOCKET, SO_KEEPALIVE, 1),
    (IPPROTO_TCP, TCP_KEEPIDLE, IDLE_S),
    (IPPROTO_TCP, TCP_KEEPINTVL, INTERVAL_S),
    (IPPROTO_TCP, TCP_KEEPCNT, PROBES),
)


def keep_alive(s: int) -> str:
    """Turn keep-alive on; returns the problem for the log, or "".

    Windows before version 1709 does not have the three numbers: then its defaults apply, two hours of silence.
    """
    for level, name, value in _OPTIONS:
        if setsockopt(s, level, name, c_int(value), sizeof(c_int)) != NO_ERROR:
            return f"Keep-alive failed error: {WSAErrorDescript(WSAGetLastError())}"
    return ""
