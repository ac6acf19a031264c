"""A trace in JSON lines names the line of the program that makes each call."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from trace_kit import Tracing, python
from winsock_kit import connected_pair

from winsock import trace
from winsock.batch import send_many
from winsock.trace.events import Event
from winsock.trace.source import MAX_CODE
from winsock.trace.trace_files import read_lanes


@pytest.fixture
def tracing(started: None, tmp_path: Path) -> Iterator[Tracing]:
    yield Tracing(tmp_path / "trace.jsonl", json=True)
    trace.stop()


def sources(trace_file: Path) -> list[dict[str, Any]]:
    return [json.loads(line)["source"] for line in trace_file.read_text(encoding="ascii").splitlines()[1:]]


def test_the_source_is_the_innermost_line_of_the_program(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text(
        "from winsock import *\ndef port(number):\n    return htons(number)\n", encoding="ascii"
    )
    (tmp_path / "program.py").write_text(
        "from winsock import *\nfrom helper import port\nntohs(\n    1,\n)\nport(2)\n", encoding="ascii"
    )
    python("-m", "winsock.trace", "-o", "trace.jsonl", "program.py", cwd=tmp_path, check=True)
    assert sources(tmp_path / "trace.jsonl") == [
        {"file": "program.py", "line": 3, "function": "<module>", "code": "ntohs("},
        {"file": "helper.py", "line": 3, "function": "port", "code": "return htons(number)"},
    ]


def test_a_file_outside_the_current_folder_has_its_whole_path(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("from winsock import *\nhtons(1)\n", encoding="ascii")
    (tmp_path / "below").mkdir()
    below = tmp_path / "below"
    python("-m", "winsock.trace", "-o", "1.jsonl", str(program), cwd=below, check=True)
    python(str(program), cwd=below, environment={"WINSOCK_TRACE": "2.jsonl"}, check=True)
    for trace_file in ("1.jsonl", "2.jsonl"):
        (source,) = sources(below / trace_file)
        assert Path(source["file"]).samefile(program)
        assert Path(source["file"]).is_absolute()


def test_a_call_by_a_helper_of_winsock_names_the_line_that_uses_the_helper(tracing: Tracing) -> None:
    one, _ = connected_pair()
    line = sys._getframe().f_lineno + 1
    assert send_many([one], b"x", 1, 0) == [1]
    (found,) = (record["source"] for record in tracing.records() if record["call"] == "send")
    assert (found["line"], found["function"]) == (line, sys._getframe().f_code.co_name)
    assert found["code"].startswith("assert send_many(")
    assert found["file"].endswith("tests/trace/test_source.py")


def test_code_that_is_not_in_a_file_has_a_source_without_code(tracing: Tracing) -> None:
    exec(compile("calls.htons(1)", "<made>", "exec"), {"calls": tracing.calls})
    (record,) = tracing.records()
    assert record["source"] == {"file": "<made>", "line": 1, "function": "<module>", "code": ""}


def test_a_long_line_is_recorded_up_to_its_first_characters(tmp_path: Path) -> None:
    line = f"htons(1)  # {'x' * 1000}"
    (tmp_path / "program.py").write_text(f"from winsock import *\n{line}\n", encoding="ascii")
    python("-m", "winsock.trace", "-o", "trace.jsonl", "program.py", cwd=tmp_path, check=True)
    (source,) = sources(tmp_path / "trace.jsonl")
    assert source["code"] == line[:MAX_CODE]


def test_a_call_without_a_line_of_the_program_has_no_source(tmp_path: Path) -> None:
    code = "import threading, winsock; threading.Thread(target=winsock.htons, args=(1,)).start()"
    python("-c", code, cwd=tmp_path, environment={"WINSOCK_TRACE": "trace.jsonl"}, check=True)
    (call,) = (tmp_path / "trace.jsonl").read_text(encoding="ascii").splitlines()[1:]
    assert "source" not in json.loads(call)


@pytest.mark.posix_only(reason="Windows does not remove the current folder")
def test_a_program_in_a_removed_folder_has_a_source(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    code = "import os, winsock; os.rmdir(os.getcwd()); print(winsock.htons(1))"
    path = str(tmp_path / "trace.jsonl")
    done = python("-c", code, cwd=tmp_path / "gone", environment={"WINSOCK_TRACE": path}, check=True)
    assert done.stdout == "256\n"
    assert [source["file"] for source in sources(tmp_path / "trace.jsonl")] == ["<string>"]


def test_an_event_has_the_source_of_its_record() -> None:
    source = {"file": "a.py", "line": 3, "function": "f", "code": "send(s, b, 1, 0)"}
    record = {"call": "send", "args": {}, "source": source}
    assert Event(0, record, 0, 0, 0).source == ("a.py", 3, "f", "send(s, b, 1, 0)")
    del record["source"]
    assert Event(0, record, 0, 0, 0).source is None


SPAWNING = """\
import multiprocessing
from winsock import MAKEWORD, WSADATA, WSACleanup, WSAStartup

def work():
    WSAStartup(MAKEWORD(2, 2), WSADATA())
    WSACleanup()

if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=work)
    process.start()
    process.join()
"""


def test_a_process_that_multiprocessing_started_has_the_name_of_its_program(tmp_path: Path) -> None:
    (tmp_path / "robot.py").write_text(SPAWNING, encoding="ascii")
    python("robot.py", cwd=tmp_path, environment={"WINSOCK_TRACE": "%p.jsonl"}, check=True)
    lanes = [lane for path in tmp_path.glob("*.jsonl") for lane in read_lanes(path)]
    assert [(lane.name, len(lane.records)) for lane in lanes if lane.records] == [("robot", 2)]
