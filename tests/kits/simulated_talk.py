"""Traces of two programs that communicate on a simulated network."""

from __future__ import annotations

from pathlib import Path

import winsock as w
from winsock.simulation import Network

__all__ = ["simulated_talk"]


def _server(answer: bytes) -> None:
    w.WSAStartup(w.MAKEWORD(2, 2), w.WSADATA())
    s = w.socket(w.AF_INET, w.SOCK_STREAM, 0)
    w.bind(s, w.sockaddr_in(w.AF_INET, w.htons(8080)), 16)
    w.listen(s, 5)
    client = w.accept(s, None, None)
    data = bytearray(3)
    while w.recv(client, data, 3, 0) > 0:
        pass
    w.send(client, answer, len(answer), 0)
    w.closesocket(client)
    w.WSACleanup()


def _client() -> None:
    w.WSAStartup(w.MAKEWORD(2, 2), w.WSADATA())
    s = w.socket(w.AF_INET, w.SOCK_STREAM, 0)
    w.connect(s, w.sockaddr_in(w.AF_INET, w.htons(8080), w.in_addr(w.inet_addr("10.0.0.1"))), 16)
    w.send(s, b"question", 8, 0)
    w.shutdown(s, w.SD_SEND)
    while w.recv(s, bytearray(100), 100, 0) > 0:
        pass
    w.closesocket(s)
    w.WSACleanup()


def simulated_talk(folder: Path, answer: bytes = b"answer", latency: float = 0.02) -> list[str]:
    """Runs a client that asks and a server that answers; returns the paths of their traces."""
    with Network(seed=7) as net:
        server, client = net.host("server", "10.0.0.1"), net.host("client", "10.0.0.7")
        net.link(server, client, latency=latency)
        net.trace_calls(folder)
        server.start(_server, answer)
        client.start(_client)
        net.run()
    return sorted(map(str, folder.glob("*.jsonl")))
