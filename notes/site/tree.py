"""Where a file of the clone is in the documentation site, and the order of its pages.

The pages of notes/ link to each other and to files outside notes/ by relative paths, which a code host follows. In the
site the pages of notes/ keep their paths, README.md is the first page, and notes/README.md is the page "contents".
Another file that a page links to gets a page below `clone/`: a Markdown file its text, a folder its list of files or
its README.md, any other file its source with numbered lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from posixpath import dirname, normpath
from typing import NamedTuple
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[2]
FIRST = {"README.md": "index.md", "notes/README.md": "contents.md"}
MEDIA = {".css", ".gif", ".jpg", ".png", ".svg"}

_FENCED = re.compile(r"^( *)(```|~~~).*?^\1\2", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SECTION = re.compile(r"^## (.+)$|^\| \[[^]]+\]\(([^)#]+\.md)\) \|", re.MULTILINE)


class Section(NamedTuple):
    """A heading of notes/README.md, and what is below it: pages by their paths in the clone, and folders of pages."""

    title: str
    pages: list[str | Section]


def target(page: str, link: str) -> tuple[str, str] | None:
    """The path in the clone and the fragment that a link of a page means; None for a link to elsewhere.

    `page` is the path of the page in the clone, such as "notes/paths.md".
    """
    if re.match(r"[a-z][a-z0-9+.-]*:|//|#", link, re.IGNORECASE):
        return None
    path, _, fragment = link.partition("#")
    return normpath(f"{dirname(page) or '.'}/{unquote(path)}"), fragment


def links(page: str) -> Iterator[str]:
    """The paths in the clone to which a page links."""
    text = _FENCED.sub("", (ROOT / page).read_text(encoding="utf-8"))
    for link in _LINK.findall(text):
        found = target(page, link)
        if found:
            yield found[0]


def place(path: str) -> str:
    """The place in the site of a file or folder of the clone: its path below the folder of the pages."""
    if path in FIRST:
        return FIRST[path]
    if (ROOT / path).is_dir():
        return place(f"{path}/README.md") if (ROOT / path / "README.md").exists() else f"clone/{path}/index.md"
    suffix = Path(path).suffix
    if path.startswith("notes/") and (suffix == ".md" or suffix in MEDIA):
        return path.removeprefix("notes/")
    return f"clone/{path}" if suffix == ".md" else f"clone/{path}.md"


def pages() -> list[str]:
    """The Markdown pages of notes/ by their paths in the clone."""
    return sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "notes").rglob("*.md"))


def linked() -> dict[str, str]:
    """The files and folders outside the pages of notes/ to which pages link, and the place of each in the site."""
    found: dict[str, str] = {}
    waiting = [*FIRST, *pages()]
    seen = set(waiting)
    while waiting:
        for path in links(waiting.pop()):
            if (ROOT / path).is_dir() and (ROOT / path / "README.md").exists():
                path = f"{path}/README.md"
            if path in seen or not (ROOT / path).resolve().is_relative_to(ROOT) or not (ROOT / path).exists():
                continue
            seen.add(path)
            if not (path.startswith("notes/") and Path(path).suffix in MEDIA):
                found[path] = place(path)
            if path.endswith(".md"):
                waiting.append(path)
    return found


def sections() -> list[Section]:
    """The headings of notes/README.md with the pages in the tables below them.

    The README.md of a folder below notes/ is a section of its own with the other pages of its folder, first those to
    which it links, in this order.
    """
    found: list[Section] = []
    for title, link in _SECTION.findall((ROOT / "notes" / "README.md").read_text(encoding="utf-8")):
        if title:
            found.append(Section(title, []))
            continue
        page = normpath(f"notes/{link}")
        found[-1].pages.append(_folder(page) if page.endswith("/README.md") else page)
    return [section for section in found if section.pages]


def _folder(readme: str) -> Section:
    text = (ROOT / readme).read_text(encoding="utf-8")
    title = text.partition("\n")[0].lstrip("# ")
    others = {path.relative_to(ROOT).as_posix() for path in (ROOT / readme).parent.glob("*.md")} - {readme}
    order = [path for path in links(readme) if path in others]
    return Section(title, [readme, *dict.fromkeys([*order, *sorted(others)])])
