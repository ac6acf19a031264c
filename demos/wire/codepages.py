"""The 8-bit code pages in which the article's programs write text (CP_ACP)."""

from __future__ import annotations

import codecs


def codec_of(codepage: int) -> str:
    """Python's name for a Windows code page."""
    return "utf-8" if codepage == 65001 else f"cp{codepage}"


def codepage_problem(codepage: int) -> str | None:
    """Why text messages cannot use this code page, or None when they can."""
    try:
        codecs.lookup(codec_of(codepage))
    except LookupError:
        return f"unknown code page: {codepage}"
    if "<|>-.09\0".encode(codec_of(codepage)) != b"<|>-.09\0":
        return f"code page {codepage} does not encode the marks <, | and > as ASCII does"
    return None
