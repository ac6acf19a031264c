"""No link, mention, tag or markup comes out of a report into the notes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_kit import SCENARIO, copied_tree, differences_page, made_up_report

from tests.windows_report import form, merging, notes
from winsock.command_line import printable


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copied_tree(tmp_path)


HOSTILE = [
    "https://evil.example/phish @torvalds",
    "www.evil.example",
    "a@evil.example",
    "` @torvalds `` www.evil.example ``` <b> `",
    "```` @torvalds",
    "@torvalds `",
    "\\` @torvalds | www.evil.example \\| https://evil.example",
    "[x](https://evil.example) ![x](//evil.example) <https://evil.example> #1 GH-1",
]
# A code span: a run of backticks, and the next run of the same length.
CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")


def outside_code(line: str) -> str:
    return CODE.sub("", line)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_link_or_mention_comes_out_of_a_report(text: str, root: Path) -> None:
    before = {outside_code(line) for line in (root / notes.DIFFERENCES).read_text(encoding="utf-8").splitlines()}
    report = made_up_report()
    parts = report["parts"]
    parts["tests"]["failures"] = [{"test": f"tests/api/x.py::{text}", "outcome": "failed", "message": text}]
    parts["scenarios"]["seen"][SCENARIO] = [[text, text]]
    (fact, *_) = parts["facts"]["results"]
    parts["facts"]["results"][fact] = {"outcome": "different", "detail": [text]}
    parts["pairs"]["jobs"]["signal"] |= {"summary": {"problem": text}, "last_lines": [text], "exit_code": 1}
    for part in parts.values():
        part["problem"] = text
    form.check(json.dumps(report).encode("ascii"))
    merging.merge(report, root)
    shown = (root / notes.DIFFERENCES).read_text(encoding="utf-8") + (root / notes.FIGURES).read_text(encoding="utf-8")
    assert shown.count("torvalds") + shown.count("evil.example") >= 3
    outside = [line for line in map(outside_code, differences_page(root).splitlines()) if line not in before]
    assert [line for line in outside if re.search(r"evil|torvalds|@|//|www|<b>", line)] == []
    assert "evil" not in (root / notes.FIGURES).read_text(encoding="utf-8")


@given(st.text(alphabet="`|\\ @a<\n\u202e", max_size=12))
def test_a_code_span_has_the_whole_text_and_nothing_ends_it_early(text: str) -> None:
    shown = notes.code(text)
    if text.strip(" "):
        assert outside_code(shown) == ""
        assert CODE.fullmatch(shown)[2] == f" {printable(text)} "
    else:
        assert shown == ""
    assert not re.search(r"(?<!\\)\|", notes.code_cell(text))
