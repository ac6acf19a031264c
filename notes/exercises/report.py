"""What a run of an exercise has shown, as text, and how it differs from a run of the answer."""

from __future__ import annotations

import re
from difflib import ndiff
from itertools import count

from notes.exercises.stage import Run
from notes.exercises.table import EXERCISES, Exercise
from winsock.trace.events import Event
from winsock.trace.timeline import Timeline

# Of more lines or calls only the first and the last are shown.
MOST_LINES = 120


def report(number: int, result: Run, answer: bool = False) -> str:
    """What a run has shown, as text: the files, what the programs print, and their calls.

    Sockets are named s1, s2 … in the order of their creation, and the server's port PORT, because the system may assign
    other numbers in each run. Conversions such as htons are left out.
    """
    exercise = EXERCISES[number]
    width = max(map(len, exercise.programs))
    lines = [f"Exercise {number}: {exercise.title}"]
    lines += [f"  {name:{width}} = {file.parent.name}/{file.name}" for name, file in exercise.files(answer).items()]
    lines += ["", "The programs print:", printed(exercise, result)]
    lines += ["Their calls, each with its line in the program (! failed):"]
    calls = []
    for event, text in _calls(result.calls):
        name = result.calls.lanes[event.lane].name
        if event.group != "names" and name in (exercise.shown or exercise.programs):
            mark = "!" if _failed(event) else " "
            calls.append(f"{mark} {name:{width}} {event.source.line if event.source else 0:2} | {text}")
    lines += _shortened(calls) or ["  none"]
    return _without_ports(exercise, "\n".join(lines) + "\n")


def printed(exercise: Exercise, result: Run) -> str:
    """The lines that the programs printed, each with the name of its program."""
    width = max(map(len, exercise.programs))
    lines = _shortened([f"  {line.program:{width}} | {line.text}" for line in result.printed])
    return _without_ports(exercise, "".join(f"{line}\n" for line in lines))


def _shortened(lines: list[str]) -> list[str]:
    """The first and the last lines if there are many."""
    if len(lines) <= MOST_LINES:
        return lines
    half = MOST_LINES // 2
    return [*lines[:half], f"  ... {len(lines) - MOST_LINES} lines are left out here", *lines[-half:]]


def comparison(exercise: Exercise, result: Run, answer: Run) -> str:
    """How the run of a changed program differs from the run of the answer: in its lines, and in calls that fail."""
    differences = [
        line
        for name in exercise.programs
        for line in ndiff(_lines_of(exercise, answer, name), _lines_of(exercise, result, name))
        if line.startswith(("-", "+"))
    ]
    known = _failures(answer)
    failed = [failure for failure in _failures(result) if failure not in known]
    if not differences and not failed:
        return "Your program does the same as the answer in this run: the same lines, and no other failed call.\n"
    text = ""
    if differences:
        text += "Your program and the answer print different lines (+ only your run, - only the answer's run):\n"
        text += "".join(f"{line}\n" for line in differences)
        text += "Other words are no fault. Another number, order or timer event usually is.\n"
    if failed:
        text += "These calls fail in your run, but not in the answer's run:\n"
        text += "".join(f"! {failure}\n" for failure in dict.fromkeys(failed))
    return text


def _lines_of(exercise: Exercise, result: Run, program: str) -> list[str]:
    """The lines of a program as they are compared, with the timer event of each."""
    lines = [line for line in result.printed if line.program == program]
    if exercise.by_event:
        texts = [f"{program}, {f'timer event {event}' if event else 'start'} | {text}" for _, event, text in lines]
    else:
        texts = [f"{program} | {text}" for _, _, text in lines if not text.startswith("... (")]
    # Another run may have another port, also from FIXED_PORTS.
    return [text.replace(f"port {result.port}", "port PORT") for text in texts]


def _failures(result: Run) -> list[str]:
    """The calls that failed, without their arguments."""
    return [
        f"{result.calls.lanes[event.lane].name} | {event.call}: {event.error}"
        for event in result.calls.events
        if _failed(event)
    ]


def _failed(event: Event) -> bool:
    """Whether a call failed, and not only because a non-blocking socket is not ready."""
    return event.error not in ("", "WSAEWOULDBLOCK")


def _without_ports(exercise: Exercise, text: str) -> str:
    """The text with PORT in place of a port that the system has assigned."""
    return text if exercise.fixed_port else re.sub(r"(port |127\.0\.0\.1:)[1-9]\d*", r"\1PORT", text)


def _calls(calls: Timeline) -> list[tuple[Event, str]]:
    """The calls in C notation, with names in place of the numbers of sockets."""
    numbers = count(1)
    names: dict[int, dict[int, str]] = {}
    found = []
    for event in calls.events:
        names_of_lane = names.setdefault(event.lane, {})
        if event.call in ("socket", "accept") and not event.error and event.record["result"] is not None:
            names_of_lane[event.record["result"]] = f"s{next(numbers)}"
        found.append((event, _short(event, names_of_lane)))
    return found


def _short(event: Event, names: dict[int, str]) -> str:
    """A call with names in place of the numbers of sockets, without the meaning of its error and details."""
    text = re.sub(r"(?:SOCKET_ERROR|INVALID_SOCKET) \(#\d+\) (\w+): .*", r"\1", event.text, flags=re.DOTALL)
    text = re.sub(r"\{wVersion.*\}", "{...}", text)
    # Of more than 32 bytes only the first 24 are shown.
    byte = r'(?:[^"\\]|\\.)'
    text = re.sub(rf'"({byte}{{24}})(?:{byte}*"\.\.\.|{byte}{{9,}}")', r'"\1"...', text)
    # The number of a socket is the first argument, the only element of a set, or the result of socket or accept.
    place = r"(?<=[({])\d+(?=[,)}])" + (r"|\d+$" if event.call in ("socket", "accept") else "")
    return re.sub(place, lambda match: names.get(int(match[0]), match[0]), text)
