"""A timeline as a Mermaid sequence diagram, for notes and wherever Markdown is shown."""

from __future__ import annotations

from .events import Arrow, Event
from .timeline import Timeline

__all__ = ["MOST_CHARACTERS", "sequence_diagram"]

# What Mermaid draws unless its maxTextSize is raised.
MOST_CHARACTERS = 50_000

_LINES = {"connection": "-->>", "data": "->>", "datagram": "->>", "end": "--)", "reset": "--x"}
_MOST_IN_A_NOTE = 8


def sequence_diagram(timeline: Timeline, everything: bool = False) -> str:
    """The diagram's text; `everything` also has the calls about names and numbers, and those that found nothing."""
    lines = ["sequenceDiagram"]
    lines += [f"    participant P{index} as {_escaped(lane.name)}" for index, lane in enumerate(timeline.lanes)]
    told = {id(event) for arrow in timeline.arrows for event in (arrow.source, arrow.target)}
    arrows: dict[int, list[Arrow]] = {}
    for arrow in timeline.arrows:
        arrows.setdefault(id(arrow.target), []).append(arrow)
    waiting: dict[int, list[str]] = {}

    def flush() -> None:
        # A dict keeps its order: the program whose calls began first comes first.
        for lane, notes in waiting.items():
            for start in range(0, len(notes), _MOST_IN_A_NOTE):
                lines.append(f"    Note over P{lane}: {'<br/>'.join(notes[start : start + _MOST_IN_A_NOTE])}")
        waiting.clear()

    for event in timeline.events:
        if id(event) in arrows:
            flush()
            for arrow in arrows[id(event)]:
                ends = f"P{arrow.source.lane}{_LINES[arrow.kind]}P{arrow.target.lane}"
                lines.append(f"    {ends}: {_escaped(_message(arrow))}")
        elif id(event) not in told and (everything or (event.group != "names" and not event.idle)):
            waiting.setdefault(event.lane, []).append(_escaped(event.label))
    flush()
    return "\n".join(lines) + "\n"


def _message(arrow: Arrow) -> str:
    return f"{_short(arrow.source)} \u2192 {_short(arrow.target)}: {arrow.text}"


def _short(event: Event) -> str:
    if event.group == "data" and not event.error:
        return f"{event.call} = {event.record['result']}"
    return f"{event.call} {event.error}".rstrip()


def _escaped(text: str) -> str:
    """Text that means nothing to Mermaid: '#' begins an entity, ';' ends a statement, '<' a tag, '%%' a comment."""
    special = {character: f"#{ord(character)};" for character in "#;<>%"}
    return "".join(special.get(character, character) for character in text)
