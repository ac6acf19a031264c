"""Faults: what can go wrong in a network, as a text and by seed.

A fault script has one fault on each line, with times in seconds since the start of the simulation:

    at 30 partition server client for 15      # nothing passes between the two; heals after 15 s
    at 50 partition_one_way server client for 5    # from server to client nothing passes
    at 60 heal server client                  # ends every partition of the two
    at 70 vanish client for 20                # every packet from and to the host is lost; "appear" ends it
    at 100 crash server for 3                 # power off: no FIN, no RST; "restart" ends it
    at 120 freeze client for 10               # its processes stop, its kernel continues; "thaw" ends it
    at 140 kill server/main for 1             # ends a process; starts it again after 1 s
    at 150 reset server client                # every connection of the two is reset
    at 160 nat_timeout server client 30 for 90     # idle connections are forgotten after 30 s
    at 300 clock_jump client -3600            # the host's UTC, not its monotonic clock
    at 400 rule server client loss=0.5 latency=0.2 for 10    # other settings of the link
    at 500 rule_one_way server * bandwidth=1000              # from the server to every other host

`for` ends the fault after a time. A target is a host; of freeze, thaw and kill it may be one process, HOST/PROCESS. Of
two targets the second may be `*`, every other host.
`parse_script` and `format_script` convert between text and `Fault` objects without loss.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Integral
from typing import NamedTuple

from .errors import SimulationError
from .links import LinkSettings, checked_settings
from .units import SECOND

__all__ = [
    "KINDS",
    "Fault",
    "FaultKind",
    "format_fault",
    "format_script",
    "format_seconds",
    "is_name",
    "parse_script",
    "parse_seconds",
]


class FaultKind(NamedTuple):
    """What a kind of fault takes. `lasting`: it may have a duration, after which `end` undoes it."""

    targets: int  # the number of hosts
    lasting: bool = False
    value: str = ""  # the name of a time in seconds, such as a limit
    process: bool = False  # the target may be one process of a host
    settings: bool = False  # takes settings of a link


KINDS = {
    "partition": FaultKind(2, lasting=True),
    "partition_one_way": FaultKind(2, lasting=True),
    "heal": FaultKind(2),
    "vanish": FaultKind(1, lasting=True),
    "appear": FaultKind(1),
    "crash": FaultKind(1, lasting=True),
    "restart": FaultKind(1),
    "freeze": FaultKind(1, lasting=True, process=True),
    "thaw": FaultKind(1, process=True),
    "kill": FaultKind(1, lasting=True, process=True),
    "reset": FaultKind(2),
    "nat_timeout": FaultKind(2, lasting=True, value="limit"),
    "clock_jump": FaultKind(1, value="jump"),
    "rule": FaultKind(2, lasting=True, settings=True),
    "rule_one_way": FaultKind(2, lasting=True, settings=True),
}

# A name that a script can contain, of a host or a process.
_NAME = r"[^\s#/=*]+"
_NAMED_VALUES = {"yes": True, "no": False, "none": None}


@dataclass(frozen=True)
class Fault:
    """One fault; times in nanoseconds. Errors: SimulationError if the parts do not fit the kind."""

    at: int
    kind: str
    targets: tuple[str, ...]
    value: int | None = None
    settings: tuple[tuple[str, float | int | bool | None], ...] = ()
    duration: int | None = None

    def __post_init__(self) -> None:
        kind = KINDS.get(self.kind)
        if kind is None:
            raise SimulationError(f"unknown fault: {self.kind!r}; the faults are {', '.join(KINDS)}")
        if self.at < 0:
            raise SimulationError(f"invalid time of a fault: {format_seconds(self.at)}; give a time of at least 0 s")
        self._check_targets(kind)
        if kind.value and self.value is None:
            raise SimulationError(f"{self.kind} lacks its {kind.value} in seconds")
        if self.value is not None and not kind.value:
            raise SimulationError(f"{self.kind} takes no time")
        if self.kind == "nat_timeout" and self.value is not None and self.value <= 0:
            raise SimulationError(f"invalid limit: {format_seconds(self.value)}; give a number above 0")
        if self.duration is not None and not kind.lasting:
            raise SimulationError(f"{self.kind} has no duration; remove 'for'")
        if self.duration is not None and self.duration <= 0:
            raise SimulationError(f"invalid duration: {format_seconds(self.duration)}; give a time above 0 s")
        if bool(self.settings) != kind.settings:
            needs = "needs settings of a link, such as loss=0.5" if kind.settings else "takes no settings"
            raise SimulationError(f"{self.kind} {needs}")
        checked_settings(LinkSettings(), dict(self.settings))

    def _check_targets(self, kind: FaultKind) -> None:
        if len(self.targets) != kind.targets:
            hosts = "one host" if kind.targets == 1 else "two hosts"
            raise SimulationError(f"{self.kind} takes {hosts}, not {len(self.targets)}: {' '.join(self.targets)}")
        if kind.targets == 2 and self.targets[0] == self.targets[1]:
            raise SimulationError(f"{self.kind} takes two different hosts: {self.targets[0]!r} is given twice")
        for target in self.targets:
            parts = 2 if kind.process else 1
            if target == "*" and kind.targets == 2 and target is self.targets[1]:
                continue
            if not re.fullmatch(f"{_NAME}(/{_NAME})?", target) or target.count("/") >= parts:
                raise SimulationError(f"invalid target of {self.kind}: {target!r}")

    @property
    def end(self) -> int:
        """When the fault is over: the time of the fault itself where it has no duration."""
        return self.at + (self.duration or 0)

    def __str__(self) -> str:
        return format_fault(self)


def is_name(name: object) -> bool:
    """Whether a fault can name a process so."""
    return isinstance(name, str) and re.fullmatch(_NAME, name) is not None


def format_seconds(nanoseconds: int) -> str:
    """Nanoseconds as seconds, exactly and as short as possible: "30", "0.5", "-0.000000001"."""
    whole, part = divmod(abs(nanoseconds), SECOND)
    text = f"{whole}.{part:09}".rstrip("0").rstrip(".")
    return f"-{text}" if nanoseconds < 0 else text


def parse_seconds(text: str) -> int:
    """Seconds as nanoseconds. Errors: SimulationError if the text is no number or has more than nine decimals."""
    nanoseconds = Decimal(text) * SECOND if re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]+)?", text) else None
    if nanoseconds is None or nanoseconds != int(nanoseconds):
        raise SimulationError(f"invalid time: {text!r}; give seconds with at most nine decimals")
    return int(nanoseconds)


def format_fault(fault: Fault) -> str:
    words = ["at", format_seconds(fault.at), fault.kind, *fault.targets]
    if fault.value is not None:
        words.append(format_seconds(fault.value))
    words += [f"{name}={_format_setting(value)}" for name, value in fault.settings]
    if fault.duration is not None:
        words += ["for", format_seconds(fault.duration)]
    return " ".join(words)


def format_script(faults: Iterable[Fault]) -> str:
    """The script of `faults`, in their order, one on each line."""
    return "".join(f"{format_fault(fault)}\n" for fault in faults)


def parse_script(text: str) -> list[Fault]:
    """The faults of a script, in the order of its lines; "#" starts a comment.

    Errors: SimulationError with the number of the line.
    """
    faults = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            faults.append(_parse_words(words))
        except SimulationError as error:
            raise SimulationError(f"line {number} of the fault script: {error}") from None
    return faults


def _parse_words(words: Sequence[str]) -> Fault:
    if words[0] != "at" or len(words) < 3:
        raise SimulationError("a fault has the form 'at SECONDS FAULT TARGET … [for SECONDS]'")
    at, name, rest = parse_seconds(words[1]), words[2], list(words[3:])
    duration = None
    if len(rest) >= 2 and rest[-2] == "for":
        duration = parse_seconds(rest[-1])
        del rest[-2:]
    kind = KINDS.get(name, FaultKind(len(rest)))
    settings = tuple(_parse_setting(word) for word in rest if "=" in word)
    rest = [word for word in rest if "=" not in word]
    value = parse_seconds(rest.pop()) if kind.value and len(rest) > kind.targets else None
    return Fault(at, name, tuple(rest), value, settings, duration)


def _format_setting(value: float | int | bool | None) -> str:
    for word, named in _NAMED_VALUES.items():
        if value is named:
            return word
    assert value is not None  # it has a word
    # A number of a type such as Fraction or numpy.float64 has another repr.
    return repr(int(value) if isinstance(value, Integral) else float(value))


def _parse_setting(word: str) -> tuple[str, float | int | bool | None]:
    name, _, text = word.partition("=")
    if text in _NAMED_VALUES:
        return name, _NAMED_VALUES[text]
    try:
        return name, int(text) if re.fullmatch(r"-?[0-9]+", text) else float(text)
    except ValueError:
        raise SimulationError(f"invalid value of {name}: {text!r}; give a number, yes, no or none") from None
