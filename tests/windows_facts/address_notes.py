"""python -m tests.windows_facts.address_notes: writes notes/addresses.md, and Windows's results into the recording."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.conformance import recordings
from tests.conformance.address_cells import ADDRESSES, PROGRAMS, TYPES, Cell, cells
from tests.conformance.recorder import Json

from .address_answers import accepted, answer_of_windows
from .facts import Certainty

NOTES = Path(__file__).parents[2] / "notes" / "addresses.md"
RECORDING = "addresses"
# What compat does in the only cells in which it does not behave like Windows.
COMPAT_WITHOUT_SCOPE = "WSAEADDRNOTAVAIL"

_HEAD = """# Addresses: what bind, connect and sendto accept

Windows checks the class of an address before it looks for a route: it binds no socket to a multicast or broadcast
address, and connects none to the wildcard. Linux accepts such addresses, or has other errors. compat has one table of
the classes, `compat/winsock_compat/calls/address_rules.py`; the kernel gets only addresses that Windows accepts too.

This page is generated from the tests: `python -m tests.windows_facts.address_notes`. Each cell of the matrix (a call, a
type and a kind of socket, an address) is a scenario in tests/conformance and a fact in tests/windows_facts. Its name is
made of the words of its row, such as `bind_stream_ipv4_to_multicast`.

- A *dual-stack* socket is an IPv6 socket with IPV6_V6ONLY off. *IPv6* means one with the option on, as it is at first.
- The first result is the one of compat. Others, after "or", are accepted too, because the sources disagree or none
  states the result for exactly this situation.
- *Certainty* says what the result is based on: a test suite that runs on Windows ("tested"), Microsoft's documentation
  ("documented"), the source code or a comment of a program for Windows ("source"), or a report of users ("reported").
"""

_SECTIONS = {
    "bind": """## bind

A call that fails leaves the socket unbound; it can be bound to another address.
""",
    "connect_stream": """## connect, stream

Winsock itself checks the family, the wildcard and port 0. The transport finds the other errors: connect of a
nonblocking socket returns WSAEWOULDBLOCK, then select shows the socket in exceptfds, and SO_ERROR is the error.
""",
    "connect_datagram": "## connect, datagram\n",
    "sendto": "## sendto, datagram\n",
    "sendto_stream": "## sendto, stream\n\nOn a connected stream the address is ignored, whatever it is.\n",
}

_TAIL = """## The broadcast address of an interface's network

Only the operating system knows these addresses, such as 192.168.1.255 for 192.168.1.7 with the mask 255.255.255.0.
compat treats them like 255.255.255.255: for bind it asks the kernel whether the address is one of them, and it
translates the kernel's error of connect. The facts whose names start with `network_broadcast` check it on an interface
in a network namespace ([reported](https://github.com/liftoff-sr/CIPster/issues/21)).

## What compat leaves to the kernel

For addresses of other machines, of reserved ranges such as 240.0.0.0/4, and scope ids that do not exist the result
depends on the routes. A link-local address without a scope id is ambiguous. Windows looks for the interface itself
([documented](https://learn.microsoft.com/en-us/windows/win32/winsock/link-local-and-site-local-addresses-2)); the
kernel does so for sendto, but refuses connect unless the socket is bound to an interface. compat then reports
WSAEADDRNOTAVAIL.
"""

_CERTAINTY = {certainty: certainty.name.lower() for certainty in Certainty}


def _shown(answers: list[Json]) -> str:
    return " or ".join(", ".join(map(str, answer)) for answer in answers if isinstance(answer, list))


def _result(cell: Cell) -> str:
    """The results of a cell in words; what select and SO_ERROR show is described above the table."""
    parts = []
    for label, answers in accepted(cell).items():
        _, _, situation = label.partition(" ")
        if label in ("select", "getsockopt"):
            continue
        shown = _shown(answers)
        if label == "send":
            shown, situation = f"then send: {shown}", ""
        parts.append(f"{situation}: {shown}" if situation else shown)
    remark = answer_of_windows(cell).compat
    return "; ".join(parts) + (f". compat: {COMPAT_WITHOUT_SCOPE} ({remark})" if remark else "")


def _sockets(group: list[Cell]) -> str:
    """The kinds of sockets of a row, with the type where the row is about one of two."""
    kinds = list(dict.fromkeys(cell.socket for cell in group))
    types = {cell.type for cell in group}
    only = f" ({TYPES[group[0].type]})" if types != set(PROGRAMS[group[0].program]) else ""
    return ", ".join(kinds) + only


def _rows(program: str) -> Iterator[str]:
    groups: dict[tuple[str, str, str, str], list[Cell]] = {}
    for cell in cells(program):
        answer = answer_of_windows(cell)
        key = (cell.address, _result(cell), answer.source, _CERTAINTY[answer.certainty])
        groups.setdefault(key, []).append(cell)
    for (address, result, source, certainty), group in groups.items():
        page, _, words = source.partition(": ")
        link = f"[{certainty}]({page})" + (f": {words}" if words else "")
        yield f"| {ADDRESSES[address].words} | `{address}` | {_sockets(group)} | {result} | {link} |"


def page() -> str:
    parts = [_HEAD]
    for program, head in _SECTIONS.items():
        table = ["| address | in names | sockets | Windows | certainty |", "| --- | --- | --- | --- | --- |"]
        if program == "sendto_stream":
            first = next(cells(program))
            source = answer_of_windows(first).source.partition(": ")[0]
            parts.append(f"{head}\nWindows and compat: {_result(first)}, the byte sent ([documented]({source})).\n")
        else:
            parts.append("\n".join([head, *table, *_rows(program), ""]))
    return "\n".join([*parts, _TAIL])


def differences() -> dict[str, list[dict[str, Any]]]:
    """For each scenario whose results on Wine are not those of Windows: the entries of its recording."""
    entries = recordings.load()
    found: dict[str, list[dict[str, Any]]] = {}
    for program in PROGRAMS:
        for cell in cells(program):
            wine = {label: answer for label, *answer in entries[cell.scenario]["wine"]}
            source = answer_of_windows(cell).source
            for label, answers in accepted(cell).items():
                if answer_of_windows(cell).compat:
                    answers.append([COMPAT_WITHOUT_SCOPE])
                if answers != [wine[label]]:
                    entry = {"label": label, "answers": answers, "source": source}
                    found.setdefault(cell.scenario, []).append(entry)
    return found


def write() -> None:
    NOTES.write_text(page(), encoding="utf-8", newline="\n")
    path = recordings.FOLDER / f"{RECORDING}.json"
    kept = json.loads(path.read_text(encoding="ascii"))
    found = differences()
    entries: dict[str, recordings.Entry] = {}
    for name, entry in kept["scenarios"].items():
        entries[name] = {"wine": entry["wine"]} | ({"windows": found[name]} if name in found else {})
    recordings.write(path, kept["wine"], entries)


if __name__ == "__main__":
    write()
