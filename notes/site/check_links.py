"""Check every link of the built site: the file, the anchor, and that no page loads anything from the network.

python notes/site/check_links.py build/site

MkDocs itself checks the links of the Markdown pages. This command checks what comes out: also the links of the API
reference, of source pages and of the theme. Links to other sites are not followed. The exit code is 1 if one is broken.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# The elements whose file the browser loads with the page, and the attribute that names it.
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
# Relations of the element `link` that load nothing.
NOT_LOADED = {"prev", "next", "canonical", "alternate"}


class Page(HTMLParser):
    """The anchors and links of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value for name, value in attrs if value is not None}
        self.anchors.update(values[name] for name in ("id", "name") if name in values)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        name = LOADED.get(tag, "")
        if name in values:
            loads = tag != "link" or values.get("rel") not in NOT_LOADED
            (self.loaded if loads else self.links).append(values[name])


def faults(folder: Path) -> Iterator[str]:
    """What is wrong with the links of the site in this folder, one line each."""
    # The page for missing addresses is shown at any address, so its links start at the top of a server.
    files = {*folder.resolve().rglob("*.html")} - {folder.resolve() / "404.html"}
    pages = {file: Page(file) for file in sorted(files)}
    for file, page in pages.items():
        name = file.relative_to(folder.resolve())
        for link in page.loaded:
            if urlsplit(link).netloc:
                yield f"{name}: loads from the network: {link}"
        for link in page.links + page.loaded:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                yield f"{name}: no such file: {link}"
            elif target in pages and parts.fragment and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{name}: no such anchor: {link}"


def main() -> int:
    folder = Path(sys.argv[1] if len(sys.argv) == 2 else "build/site")
    if not (folder / "index.html").exists():
        print(f"no site in {folder}: run mkdocs build", file=sys.stderr)
        return 2
    found = list(faults(folder))
    print("\n".join(found) or f"{folder}: all links have a target, and nothing is loaded from the network")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
