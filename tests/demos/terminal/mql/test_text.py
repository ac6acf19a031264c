"""MQL5's string functions, and its conversions between text, numbers and arrays of bytes."""

from __future__ import annotations

import pytest

from demos.terminal import (
    CP_UTF8,
    ArraySize,
    CharArrayToString,
    IntegerToString,
    StringFind,
    StringLen,
    StringReplace,
    StringSplit,
    StringSubstr,
    StringToCharArray,
    StringToDouble,
    StringToInteger,
)


def test_StringFind_gives_the_first_position_at_or_after_the_start_or_minus_1():
    assert StringFind("<<EURUSD|0.25>>", "|") == 8
    assert StringFind("<<EURUSD|0.25>>", "<<") == 0
    assert StringFind("<<EURUSD|0.25>>", "<<", 1) == -1
    assert StringFind("a,b,c", ",", 2) == 3
    assert StringFind("a", "ab") == -1


def test_StringSubstr_takes_a_length_or_everything_to_the_end():
    assert StringSubstr("EURUSD", 3) == "USD"
    assert StringSubstr("EURUSD", 0, 3) == "EUR"
    assert StringSubstr("EURUSD", 3, -1) == "USD"
    assert StringSubstr("EURUSD", 4, 99) == "SD"
    assert StringSubstr("EURUSD", 6) == StringSubstr("EURUSD", 99) == StringSubstr("EURUSD", -1) == ""


def test_StringSplit_gives_the_parts_between_the_separators():
    assert StringSplit("EURUSD|0.25", "|") == ["EURUSD", "0.25"]
    assert StringSplit("|a||", "|") == ["", "a", "", ""]
    assert StringSplit("EURUSD", "|") == ["EURUSD"]
    assert StringSplit("", "|") == []


@pytest.mark.parametrize("separator", ["", "<<"])
def test_a_separator_is_one_character(separator):
    with pytest.raises(ValueError, match="a separator is one character, not "):
        StringSplit("a", separator)


def test_StringReplace_replaces_every_occurrence():
    assert StringReplace("<<a>><<b>>", "<<", "[") == "[a>>[b>>"
    assert StringReplace("abc", "x", "y") == "abc"
    assert StringReplace("abc", "", "y") == "abc"


def test_sizes_count_characters_and_elements():
    assert StringLen("Zürich") == 6
    assert ArraySize(b"abc\0") == 4
    assert ArraySize([]) == 0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.25", 0.25),
        (" -1.5e-3 lots", -0.0015),
        ("+.5", 0.5),
        ("7.", 7.0),
        ("1,5", 1.0),
        ("1e", 1.0),
        ("", 0.0),
        ("lots", 0.0),
        ("-", 0.0),
        ("nan", 0.0),
    ],
)
def test_StringToDouble_reads_the_number_at_the_beginning(text, value):
    assert StringToDouble(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        (" -7 bars", -7),
        ("+8", 8),
        ("1.9", 1),
        ("", 0),
        ("x1", 0),
        ("9223372036854775808", 2**63 - 1),
        ("-9223372036854775809", -(2**63)),
    ],
)
def test_StringToInteger_reads_the_integer_at_the_beginning_within_64_bits(text, value):
    assert StringToInteger(text) == value


def test_IntegerToString_fills_up_on_the_left():
    assert IntegerToString(-12) == "-12"
    assert IntegerToString(7, 3) == "  7"
    assert IntegerToString(7, 3, "0") == "007"
    assert IntegerToString(1234, 3, "0") == "1234"


def test_StringToCharArray_appends_a_NUL():
    assert StringToCharArray("EURUSD") == b"EURUSD\0"
    assert StringToCharArray("") == b"\0"
    assert StringToCharArray("ab\0cd") == b"ab\0"


def test_StringToCharArray_writes_the_code_page_and_a_question_mark_for_a_missing_character():
    assert StringToCharArray("Ü€Ж") == b"\xdc\x80?\0"
    assert StringToCharArray("Ж", 1251) == b"\xc6\0"
    assert StringToCharArray("Ж", CP_UTF8) == b"\xd0\x96\0"


def test_CharArrayToString_ends_at_the_first_NUL():
    assert CharArrayToString(b"EURUSD\0rest") == "EURUSD"
    assert CharArrayToString(b"EURUSD") == "EURUSD"
    assert CharArrayToString(b"\0") == CharArrayToString(b"") == ""


def test_CharArrayToString_reads_a_part_of_the_array_in_a_code_page():
    assert CharArrayToString(b"<<EURUSD|0.25>>", 2, 6) == "EURUSD"
    assert CharArrayToString(b"<<EURUSD", 2) == "EURUSD"
    assert CharArrayToString(b"<<EURUSD", 2, 0) == ""
    assert CharArrayToString(bytearray(b"\xdc\x80")) == "Ü€"
    assert CharArrayToString(b"\xc6", codepage=1251) == "Ж"
    assert CharArrayToString(b"\xd0\x96\0", codepage=CP_UTF8) == "Ж"
    assert CharArrayToString(b"a\x81", codepage=1252) == "a\ufffd"
