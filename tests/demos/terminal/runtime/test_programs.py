"""Programs and their inputs."""

from __future__ import annotations

import re
import sys

import pytest
from terminal_kit import FOLLOWER

from demos.registry import PROGRAMS, find_program, list_programs
from demos.terminal.interfaces import ProgramError
from demos.terminal.runtime.programs import (
    forget_program,
    input_from_text,
    input_variables,
    load_program,
    set_inputs,
)


def load(tmp_path, source):
    path = tmp_path / "probe.py"
    head = "from typing import Annotated\nfrom demos.terminal import Input\ndef OnTick(): pass\n"
    path.write_text(head + source, encoding="utf-8")
    return load_program(find_program(path))


def test_a_program_has_a_name_and_the_first_line_of_its_docstring_as_summary():
    program = find_program(FOLLOWER)
    assert (program.name, program.summary) == ("follower", "Logs each event, and trades on request.")


def test_a_program_needs_no_docstring(tmp_path):
    path = tmp_path / "probe.py"
    path.write_text("def OnStart(): pass", encoding="utf-8")
    assert find_program(str(path)).summary == ""


@pytest.mark.parametrize("name", ["nothing", "../demos/copier/job", "__init__x", "missing.py", "", "a b"])
def test_an_unknown_program_is_rejected(name):
    with pytest.raises(ProgramError, match="python -m demos list"):
        find_program(name)


def test_a_module_without_event_functions_is_not_a_program(tmp_path):
    path = tmp_path / "library.py"
    path.write_text("def help(): pass", encoding="utf-8")
    with pytest.raises(ProgramError, match="none of the functions OnInit, OnDeinit"):
        find_program(path)


@pytest.mark.parametrize("source", [b"def OnTick(:", b"def OnTick(): pass\0"])
def test_a_file_that_is_not_python_is_a_ProgramError(tmp_path, source):
    path = tmp_path / "probe.py"
    path.write_bytes(source)
    with pytest.raises(ProgramError, match="is not Python"):
        find_program(path)


def test_the_registered_programs_are_listed_by_name():
    assert [program.name for program in list_programs()] == sorted(PROGRAMS)


def test_each_copy_of_a_program_is_a_separate_module(tmp_path):
    program = find_program(FOLLOWER)
    first, second = load_program(program), load_program(program)
    first.ticks = 7
    assert second.ticks == 0
    assert sys.modules[first.__name__] is first
    forget_program(first)
    forget_program(second)
    assert first.__name__ not in sys.modules
    forget_program(first)


def test_a_program_can_use_dataclasses_with_string_annotations(tmp_path):
    source = "from dataclasses import dataclass\n@dataclass\nclass Peer:\n    name: 'str'\npeer = Peer('x')"
    module = load(tmp_path, source)
    assert module.peer.name == "x"
    forget_program(module)


def test_a_program_that_fails_to_load_is_removed_from_sys_modules(tmp_path):
    before = set(sys.modules)
    with pytest.raises(ZeroDivisionError):
        load(tmp_path, "1 / 0")
    assert not [name for name in set(sys.modules) - before if name.startswith("probe")]


def test_inputs_are_read_in_order_with_type_default_and_help():
    module = load_program(find_program(FOLLOWER))
    forget_program(module)
    inputs = input_variables(module)
    assert [(name, variable.type, variable.default) for name, variable in inputs.items()] == [
        ("Host", str, "127.0.0.1"),
        ("Port", int, 8081),
        ("Factor", float, 1.0),
        ("Fast", bool, False),
    ]
    assert inputs["Port"].input.help == "port of the server"


def test_other_annotations_are_not_inputs(tmp_path):
    module = load(tmp_path, "plain: int = 1\nother: Annotated[int, 'not an input'] = 2")
    forget_program(module)
    assert input_variables(module) == {}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "Names: Annotated[list, Input('names')] = []",
            "input Names has an unsupported type; inputs are",
        ),
        ("Port: Annotated[int, Input('port')]", "input Port has no default"),
    ],
)
def test_an_input_of_another_type_or_without_a_default_is_rejected(tmp_path, source, message):
    module = load(tmp_path, source)
    forget_program(module)
    with pytest.raises(ProgramError, match=message):
        input_variables(module)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"Prot": 1}, "there is no input Prot"),
        ({"Port": "8081"}, "input Port: '8081' is not of type int"),
        ({"Port": True}, "input Port: True is not of type int"),
        ({"Port": 70000}, "input Port: 70000 is not a port"),
    ],
)
def test_input_names_types_and_values_are_checked(values, message):
    module = load_program(find_program(FOLLOWER))
    forget_program(module)
    with pytest.raises(ProgramError, match=message):
        set_inputs(module, values)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("Host", "", ""),
        ("Port", "-7", -7),
        ("Factor", "1e3", 1000.0),
        ("Fast", "TRUE", True),
        ("Fast", "0", False),
    ],
)
def test_an_input_is_converted_from_text(name, text, value):
    module = load_program(find_program(FOLLOWER))
    forget_program(module)
    read = input_from_text(input_variables(module)[name], text)
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("Port", "8081.5", "'8081.5' is not a whole number"),
        ("Factor", "much", "'much' is not a number"),
        ("Factor", "nan", "'nan' is not a number"),
        ("Factor", "inf", "'inf' is not a number"),
        ("Factor", "1e400", "'1e400' is not a number"),
        ("Factor", "1_0", "'1_0' is not a number"),
        ("Factor", "\u0661", "'\u0661' is not a number"),
        ("Factor", "1" * 5000, "is not a number"),
        ("Port", "\u0661", "'\u0661' is not a whole number"),
        ("Port", "8_081", "'8_081' is not a whole number"),
        ("Port", " 8081", "' 8081' is not a whole number"),
        ("Port", "1" * 5000, "is not a whole number"),
        ("Port", "", "'' is not a whole number"),
        ("Fast", "maybe", "'maybe' is neither true nor false"),
    ],
)
def test_text_that_is_not_a_value_of_the_inputs_type_is_rejected(name, text, message):
    module = load_program(find_program(FOLLOWER))
    forget_program(module)
    with pytest.raises(ValueError, match=message):
        input_from_text(input_variables(module)[name], text)


def test_a_copy_of_a_registered_program_has_a_name_in_its_package():
    module = load_program(find_program("signal_client"))
    try:
        assert re.fullmatch(r"demos\.signal\.client#\d+", module.__name__)
    finally:
        forget_program(module)
