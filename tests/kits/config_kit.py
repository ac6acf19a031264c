"""Programs with all inputs of a provider and a copier, for tests of their configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from terminal_kit import DATA

from demos.registry import PROGRAMS, Entry, find_program
from demos.terminal.runtime.programs import forget_program, input_variables, load_program

# An input that only a program with the protocol of demos/provider has.
_MARKS = {"provider": "cert", "copier": "url"}


def use_programs_with_all_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace a registered program that speaks the plain protocol only by one that has the other inputs too."""
    for name, mark in _MARKS.items():
        module = load_program(find_program(name))
        try:
            if mark not in input_variables(module):
                monkeypatch.setitem(PROGRAMS, name, Entry(str(stand_in(name))))
        finally:
            forget_program(module)


def use_stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace both programs, so that a test depends on the inputs that it uses, and on nothing else."""
    for name in _MARKS:
        monkeypatch.setitem(PROGRAMS, name, Entry(str(stand_in(name))))


def stand_in(name: str) -> Path:
    """The file of a program that has the inputs and does nothing."""
    return DATA / "programs" / f"{name}_inputs.py"
