"""The page of a picture in a browser: fixtures that open it, and what it shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser_kit import Page, browser

from winsock.trace.page import page
from winsock.trace.timeline import Timeline

__all__ = ["Show", "arrow_count", "rows", "select", "show", "window"]

Show = Callable[..., Page]


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def show(window: Page, drawn: Timeline, tmp_path: Path) -> Iterator[Show]:
    """Opens the page of a timeline; an error in its scripts, or a refused resource, fails the test."""
    file = tmp_path / "page.html"

    def open_page(fragment: str = "", timeline: Timeline = drawn) -> Page:
        file.write_text(page(timeline, "talk"), encoding="utf-8")
        window.size(1400, 900)
        window.open("about:blank")
        window.open(file.as_uri() + (f"#{fragment}" if fragment else ""))
        window.drawn()
        return window

    yield open_page
    assert window.problems == []


def rows(window: Page) -> list[str]:
    """The calls of all drawn rows, with the names of their lanes."""
    found = window.value("[...document.querySelectorAll('[data-event]')].map(e => e.getAttribute('aria-label'))")
    assert str(len(found)) == window.value("document.getElementById('svg').dataset.rows")
    return [re.sub(r", at [\d.]+ s$", "", text) for text in found]


def arrow_count(window: Page) -> int:
    count: int = window.value("document.querySelectorAll('[data-arrow]').length")
    assert str(count) == window.value("document.getElementById('svg').dataset.arrows")
    return count


def select(window: Page, call: str) -> None:
    """Click on the first drawn call that starts like this, such as `client: recv(`."""
    window.click(f"[data-event][aria-label^={call!r}] .label")
    window.drawn()
