"""String functions. https://www.mql5.com/en/docs/strings"""

from __future__ import annotations

__all__ = ["StringFind", "StringLen", "StringReplace", "StringSplit", "StringSubstr"]


def StringLen(string_value: str) -> int:
    """The number of characters."""
    return len(string_value)


def StringFind(string_value: str, match_substring: str, start_pos: int = 0) -> int:
    """The position of a substring at or after ``start_pos``; -1 when it is not found."""
    return string_value.find(match_substring, max(start_pos, 0))


def StringSubstr(string_value: str, start_pos: int, length: int = -1) -> str:
    """The substring from ``start_pos``, of ``length`` characters, or to the end when ``length`` is -1.

    "" when ``start_pos`` is negative or beyond the end.
    """
    if start_pos < 0:
        return ""
    return string_value[start_pos:] if length < 0 else string_value[start_pos : start_pos + length]


def StringSplit(string_value: str, separator: str) -> list[str]:
    """The parts between the separators; the whole text when there is no separator, no part for an empty text.

    MQL5 takes the separator's code and fills an array. Errors: ValueError when the separator is not one character.
    """
    if len(separator) != 1:
        raise ValueError(f"a separator is one character, not {separator!r}")
    return string_value.split(separator) if string_value else []


def StringReplace(string_value: str, find: str, replacement: str) -> str:
    """The text with every ``find`` replaced; unchanged when ``find`` is empty.

    MQL5 changes the text in place and returns the number of replacements.
    """
    return string_value.replace(find, replacement) if find else string_value
