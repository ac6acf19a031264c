"""Traces that no program wrote: the calls of several programs, one after the other."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from winsock.trace.events import Lane
from winsock.trace.timeline import Timeline, timeline

__all__ = ["A", "B", "C", "Story"]

A, B, C = "127.0.0.1:1000", "127.0.0.1:2000", "127.0.0.1:3000"


class Story:
    """Creates records as the tracer writes them, one call after the other."""

    def __init__(self, *names: str) -> None:
        self.lanes = [Lane(name, pid, [name], "compat", 0) for pid, name in enumerate(names)]
        self.clock = 0

    def call(self, lane: int, call: str, result: Any = 0, *, t: int | None = None, d: int = 1, **args: Any) -> None:
        self.clock += 10
        record = {"n": self.clock, "t": self.clock if t is None else t, "d": d, "pid": lane, "thread": "", "call": call}
        record |= {key: args.pop(key) for key in ("local", "peer", "raised") if key in args}
        if error := args.pop("error", None):
            record["error"] = {"code": 1, "name": error}
        record |= {"args": args, "result": result, "text": f"{call}() = {result}"}
        self.lanes[lane].records.append(record)

    def wait(self, lane: int, call: str, **args: Any) -> None:
        """A call that does not return."""
        self.clock += 10
        record = {"begun": self.clock, "t": self.clock, "pid": lane, "thread": "", "call": call, "args": args}
        self.lanes[lane].waiting[self.clock] = record | {"text": f"{call}("}

    def stream(self, lane: int, s: int, local: str, peer: str, error: str | None = None) -> None:
        self.call(lane, "socket", s, af="AF_INET", type="SOCK_STREAM", protocol=0)
        self.call(lane, "connect", -1 if error else 0, s=s, name=peer, local=local, peer=peer, error=error)

    def accept(self, lane: int, s: int, local: str, peer: str) -> None:
        self.call(lane, "accept", s, s=1, local=local, peer=peer)

    def move(
        self, lane: int, call: str, s: int, data: bytes, flags: Any = 0, recorded: int | None = None, **args: Any
    ) -> None:
        shown = {"bytes": len(data), "hex": data[:recorded].hex()}
        self.call(lane, call, len(data), s=s, buf=shown, len=512, flags=flags, **args)

    def draw(self) -> Timeline:
        return timeline(self.lanes)

    def write(self, folder: Path) -> list[str]:
        """Writes a trace for each program to a folder; returns the paths."""
        paths = []
        for lane in self.lanes:
            head = {
                "trace": 1,
                "backend": lane.backend,
                "pid": lane.pid,
                "argv": lane.argv,
                "t": 0,
                "wall": lane.offset,
            }
            lines = [json.dumps(record) + "\n" for record in [head, *lane.records, *lane.waiting.values()]]
            path = folder / f"{re.sub(r'[^a-z]', '_', lane.name)}.jsonl"
            path.write_text("".join(lines), encoding="ascii")
            paths.append(str(path))
        return paths
