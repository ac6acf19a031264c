"""Writes a timeline as a Mermaid sequence diagram, which Markdown viewers can draw.

How it works: the diagram has the calls in the order of the timeline. Consecutive calls of one lane are one note.
Mermaid draws an arrow as one horizontal line, so a call and its effect can be on one line only if no other call is
between them. If there is one, the call is listed in a note at its place, and the arrow has it in parentheses.
"""

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
    """The text of the diagram; with `everything`, it includes conversions and calls that found nothing to do.

    Conversions that failed, or that the end of the program interrupted, are always included.

    The names of calls that the diagram contains already are in parentheses.
    """
    lines = ["sequenceDiagram"]
    lines += [f"    participant P{index} as {_escaped(lane.name)}" for index, lane in enumerate(timeline.lanes)]
    diagram = _Diagram(timeline)
    for event in timeline.events:
        found = event.group != "names" and not event.idle
        if everything or found or event.partners or event.failed or event.ended:
            diagram.add(event)
    return "\n".join(lines + diagram.finished()) + "\n"


class _Diagram:
    """The lines of a diagram."""

    def __init__(self, timeline: Timeline) -> None:
        self._lines: list[str] = []
        # The arrows that lead to each event, by its index, and the first effect of each event.
        self._arrows: dict[int, list[Arrow]] = {}
        self._effects: dict[int, int] = {}
        for arrow in timeline.arrows:
            self._arrows.setdefault(arrow.target.index, []).append(arrow)
            self._effects.setdefault(arrow.source.index, arrow.target.index)
        # The indexes of the events that the diagram contains.
        self._shown: set[int] = set()
        self._note: list[Event] = []
        # Consecutive events that have the same event as their first effect.
        self._causes: list[Event] = []

    def add(self, event: Event) -> None:
        """Add the next event."""
        arrows = self._arrows.get(event.index, [])
        effect = event.index if arrows else self._effects.get(event.index)
        if self._causes and self._effects[self._causes[0].index] != effect:
            self._list_causes()
        if arrows:
            # A cause in the effect's own lane is on the line of the first arrow, or above it.
            if len(arrows) > 1 and any(cause.lane == event.lane for cause in self._causes):
                self._list_causes()
            self._end_note()
            self._causes.clear()
            for arrow in arrows:
                self._draw(arrow)
        elif effect is not None:
            self._causes.append(event)
        else:
            self._list(event)

    def finished(self) -> list[str]:
        """The lines, when all events are added."""
        self._list_causes()
        self._end_note()
        return self._lines

    def _list_causes(self) -> None:
        for event in self._causes:
            self._list(event)
        self._causes.clear()

    def _list(self, event: Event) -> None:
        if self._note and self._note[0].lane != event.lane:
            self._end_note()
        self._note.append(event)
        self._shown.add(event.index)

    def _end_note(self) -> None:
        for start in range(0, len(self._note), _MAX_CALLS_PER_NOTE):
            labels = [_escaped(event.label) for event in self._note[start : start + _MAX_CALLS_PER_NOTE]]
            self._lines.append(f"    Note over P{self._note[0].lane}: {'<br/>'.join(labels)}")
        self._note.clear()

    def _draw(self, arrow: Arrow) -> None:
        ends = f"P{arrow.source.lane}{_LINES[arrow.kind]}P{arrow.target.lane}"
        calls = f"{self._name(arrow.source)} \u2192 {self._name(arrow.target)}"
        self._lines.append(f"    {ends}: {_escaped(f'{calls}: {arrow.text}')}")

    def _name(self, event: Event) -> str:
        if event.group == "data" and not event.error:
            name = f"{event.call} = {event.record['result']}"
        else:
            name = f"{event.call} {event.error}".rstrip()
        if event.index in self._shown:
            return f"({name})"
        self._shown.add(event.index)
        return name


def _escaped(text: str) -> str:
    """Escapes what Mermaid interprets: '#' (entity), ';' (end of a statement), '<' and '>' (tag), '%' (comment), '$'
    (formula).

    Control characters, which a terminal interprets, become escape sequences.
    """
    special = {character: f"#{ord(character)};" for character in "#;<>%$"}
    return "".join(special.get(character, character) for character in printable(text))
