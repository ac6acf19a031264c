"""Writes a timeline as a Mermaid sequence diagram, which Markdown viewers can draw."""

from __future__ import annotations

from winsock.command_line import printable

from .events import Arrow, Event
from .timeline import Timeline

__all__ = ["MAX_CHARACTERS", "sequence_diagram"]

# The default of Mermaid's option maxTextSize.
MAX_CHARACTERS = 50_000

_LINES = {"connection": "-->>", "data": "->>", "datagram": "->>", "end": "--)", "reset": "--x"}
_MAX_CALLS_PER_NOTE = 8


def sequence_diagram(timeline: Timeline, everything: bool = False) -> str:
    """The text of the diagram; with `everything`, it includes conversions and calls that found nothing to do."""
    lines = ["sequenceDiagram"]
    lines += [f"    participant P{index} as {_escaped(lane.name)}" for index, lane in enumerate(timeline.lanes)]
    drawn = {id(event) for arrow in timeline.arrows for event in (arrow.source, arrow.target)}
    arrows: dict[int, list[Arrow]] = {}
    for arrow in timeline.arrows:
        arrows.setdefault(id(arrow.target), []).append(arrow)
    # The labels of each lane that the next note will contain.
    notes: dict[int, list[str]] = {}

    def flush() -> None:
        # A dict keeps its order: the lane whose calls began first comes first.
        for lane, labels in notes.items():
            for start in range(0, len(labels), _MAX_CALLS_PER_NOTE):
                lines.append(f"    Note over P{lane}: {'<br/>'.join(labels[start : start + _MAX_CALLS_PER_NOTE])}")
        notes.clear()

    for event in timeline.events:
        if id(event) in arrows:
            flush()
            for arrow in arrows[id(event)]:
                ends = f"P{arrow.source.lane}{_LINES[arrow.kind]}P{arrow.target.lane}"
                lines.append(f"    {ends}: {_escaped(_message(arrow))}")
        elif id(event) not in drawn and (everything or (event.group != "names" and not event.idle)):
            notes.setdefault(event.lane, []).append(_escaped(event.label))
    flush()
    return "\n".join(lines) + "\n"


def _message(arrow: Arrow) -> str:
    return f"{_short(arrow.source)} \u2192 {_short(arrow.target)}: {arrow.text}"


def _short(event: Event) -> str:
    if event.group == "data" and not event.error:
        return f"{event.call} = {event.record['result']}"
    return f"{event.call} {event.error}".rstrip()


def _escaped(text: str) -> str:
    """Escapes what Mermaid interprets: '#' (entity), ';' (end of a statement), '<' and '>' (tag), '%' (comment).

    Control characters, which a terminal interprets, become escape sequences.
    """
    special = {character: f"#{ord(character)};" for character in "#;<>%"}
    return "".join(special.get(character, character) for character in printable(text))
