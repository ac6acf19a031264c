"""Writes the generated parts of notes/figures.md and notes/differences.md: the facts, and which do not hold."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.conformance import recordings

from .facts import Certainty, Fact, collect

CHECKOUT = Path(__file__).parent.parent.parent
FIGURES, DIFFERENCES = CHECKOUT / "notes" / "figures.md", CHECKOUT / "notes" / "differences.md"
BEGIN, END = "<!-- generated: python -m tests.windows_facts --notes -->", "<!-- end of the generated part -->"


def _paragraph(*sentences: str, indent: str = "") -> list[str]:
    text = " ".join(sentences)
    return textwrap.wrap(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _counted(facts: Sequence[Fact]) -> str:
    counts = {kind: sum(fact.certainty is kind for fact in facts) for kind in Certainty}
    return ", ".join(f"{count} {kind.value}" for kind, count in counts.items() if count)


def _evidence(facts: Sequence[Fact]) -> list[str]:
    entries = recordings.load()
    known = sum(bool(entry.get("windows")) for entry in entries.values())
    wine = f"Wine {recordings.version()}"
    topics = len({fact.topic for fact in facts})
    documented = sum(bool(fact.compat) for fact in facts)
    on_wine = sum(bool(fact.wine) for fact in facts)
    return [
        *_paragraph(
            f"- [tests/conformance](../tests/conformance): {len(entries)} scenarios, recorded from {wine}'s",
            f"ws2_32.dll. compat returns Wine's results in {len(entries) - known} of them. In {known},",
            "Microsoft's reference or Wine's tests for Windows state a different result, and compat returns that one.",
            indent="  ",
        ),
        *_paragraph(
            f"- [tests/windows_facts](../tests/windows_facts): {len(facts)} facts about Windows in {topics} topics,",
            f"each with its source: {_counted(facts)}. compat behaves as {len(facts) - documented} of them say.",
            f"[differences.md](differences.md#facts-about-windows) lists the {documented} that it does not",
            f"follow and the {on_wine} that {wine} does not follow.",
            indent="  ",
        ),
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _result(fact: Fact) -> str:
    return _cell(" or ".join(map(str, fact.windows)))


def _source(fact: Fact) -> str:
    page, _, words = fact.source.partition(": ")
    return f"[{_cell(words or 'page')}]({page})"


def _topics(facts: Sequence[Fact]) -> Iterable[str]:
    yield "| topic | facts | tested | documented | source code | reported | compat differs | Wine differs |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for topic in sorted({fact.topic for fact in facts}):
        own = [fact for fact in facts if fact.topic == topic]
        kinds = " | ".join(str(sum(fact.certainty is kind for fact in own)) for kind in Certainty)
        compat, wine = sum(bool(fact.compat) for fact in own), sum(bool(fact.wine) for fact in own)
        yield f"| {topic} | {len(own)} | {kinds} | {compat} | {wine} |"


def _differences(facts: Sequence[Fact]) -> list[str]:
    lines = [f"{len(facts)} facts. The columns after the number of facts say how certain the result of Windows is:", ""]
    lines += _paragraph(
        "; ".join(f"*{word}*: {kind.value}" for word, kind in zip(_WORDS, Certainty, strict=True)) + "."
    )
    lines += ["", *_topics(facts), "", "Facts that compat does not follow:", ""]
    lines += ["| fact | situation | Windows | why compat differs | source |", "| --- | --- | --- | --- | --- |"]
    for fact in facts:
        if fact.compat:
            situation, why = _cell(f"{fact.call}: {fact.situation}"), _cell(fact.compat)
            lines.append(f"| {fact.topic}/{fact.name} | {situation} | {_result(fact)} | {why} | {_source(fact)} |")
    lines += ["", f"Facts that Wine {recordings.version()} does not follow; they are not checked there:", ""]
    lines += ["| fact | situation | Windows | Wine | source |", "| --- | --- | --- | --- | --- |"]
    for fact in facts:
        if fact.wine:
            situation, wine = _cell(f"{fact.call}: {fact.situation}"), _cell(fact.wine)
            lines.append(f"| {fact.topic}/{fact.name} | {situation} | {_result(fact)} | {wine} | {_source(fact)} |")
    return lines


_WORDS = ("tested", "documented", "source code", "reported")


def generated() -> dict[Path, str]:
    """The generated part of each document."""
    facts = sorted(collect().values(), key=lambda fact: fact.topic)
    parts = {FIGURES: _evidence(facts), DIFFERENCES: _differences(facts)}
    return {path: "\n".join([BEGIN, "", *lines, "", END]) for path, lines in parts.items()}


def in_document(path: Path) -> str:
    """The generated part that a document contains now."""
    text = path.read_text(encoding="utf-8")
    begin = text.index(BEGIN)
    return text[begin : text.index(END, begin) + len(END)]


def write() -> None:
    for path, part in generated().items():
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(in_document(path), part), encoding="utf-8", newline="\n")
