"""The same seed gives the same traces, byte for byte, in another process and on another day."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from trace_kit import python

PROGRAM = Path(importlib.util.find_spec("simulated_run").origin)  # type: ignore[union-attr, arg-type]
DAYS = 86_400


def run(folder: Path, seed: int, kind: str, hash_seed: str, days: int) -> tuple[str, int]:
    """The digest of all traces, and the number of events of the network."""
    folder.mkdir()
    environment = {"PYTHONHASHSEED": hash_seed}
    done = python(str(PROGRAM), str(folder), str(seed), kind, str(days * DAYS), cwd=folder, environment=environment)
    assert done.returncode == 0, done.stderr
    digest, events, _ = done.stdout.split()
    return digest, int(events)


def first_difference(one: Path, other: Path) -> str:
    """The first lines in which the traces of two runs differ."""
    for path in sorted(one.rglob("*.txt")) + sorted(one.rglob("*.jsonl")):
        lines, others = path.read_text().splitlines(), (other / path.relative_to(one)).read_text().splitlines()
        for number, (line, another) in enumerate(zip(lines, others, strict=False), 1):
            if line != another:
                return f"{path.name}, line {number}:\n{line}\n{another}"
        if len(lines) != len(others):
            return f"{path.name}: {len(lines)} and {len(others)} lines"
    return "no difference"


@pytest.mark.parametrize("kind", ["plain", "tls"])
def test_the_same_seed_gives_the_same_traces_in_another_process_and_on_another_day(tmp_path: Path, kind: str) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    first = run(one, 7, kind, "0", 0)
    second = run(other, 7, kind, "1", 200)
    assert first == second, first_difference(one, other)
    assert first[1] > 200


def test_another_seed_gives_another_trace(tmp_path: Path) -> None:
    assert run(tmp_path / "one", 1, "plain", "0", 0) != run(tmp_path / "other", 2, "plain", "0", 0)


def test_traces_of_tls_hold_no_ciphertext(tmp_path: Path) -> None:
    run(tmp_path / "one", 3, "tls", "0", 0)
    texts = [path.read_text() for path in (tmp_path / "one" / "calls").iterdir()]
    shown = re.findall(r'"call":"(?:send|recv)"[^\n]*?"hex":"(\w*)"', "\n".join(texts))
    assert len(shown) > 50
    assert set(shown) == {""}
    assert b"answer".hex() not in "".join(texts)


def test_the_command_picture_draws_the_traces_of_a_simulated_run(tmp_path: Path) -> None:
    run(tmp_path / "one", 5, "plain", "0", 0)
    files = sorted(str(path) for path in (tmp_path / "one" / "calls").iterdir())
    html, mermaid = tmp_path / "run.html", tmp_path / "run.md"
    done = python(
        "-m", "winsock.trace", "picture", *files, "--html", str(html), "--mermaid", str(mermaid), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    summary = re.search(r"(\d+) programs, (\d+) calls, (\d+) arrows", done.stderr)
    assert summary is not None, done.stderr
    assert int(summary[1]) >= 3
    assert int(summary[3]) > 50
    for text in (html.read_text(encoding="utf-8"), mermaid.read_text(encoding="utf-8")):
        assert "trade on client" in text
        assert "serve on server" in text
