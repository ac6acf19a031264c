"""What mkdocs.yml adds to MkDocs: navigation, pages outside notes/, their links, the API reference, scripts.

`tree` says where a file of the clone is in the site. Here MkDocs gets the pages that are not in notes/, and the links
of all pages are changed from paths in the clone to places in the site before MkDocs checks them.

`scripts` brings the scripts that the theme needs. Where npm cannot load them, the browser loads them from the network;
that is a warning, so a build with --strict fails.
"""

from __future__ import annotations

import html
import logging
import re
import subprocess
from pathlib import Path
from posixpath import dirname, relpath
from typing import Any
from xml.etree.ElementTree import Element

import scripts
import tree
from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound

LOG = logging.getLogger("mkdocs.hooks.site")

# How much more the search weighs a page that teaches or explains a subject than pages that only mention it.
BOOSTS = {"api.md": 8, "traces.md": 4, "install.md": 2}
# mkdocstrings makes the anchor of a name from the place where it is defined; users know the name alone.
_ANCHOR = re.compile(r"(?:(?<=id=\")|(?<=#))winsock(?:\.(?:api\.Winsock|structures|batch|errors))?\.(?=[\w.]+\")")
# The place of the script that changes the colours of diagrams.
_DIAGRAMS = "assets/diagrams.js"
_DIAGRAM = re.compile(r'<pre class="mermaid">.*?</pre>', re.DOTALL)
_CELL = re.compile(r"<td.*?</td>", re.DOTALL)

# A list of names in notes/api.md that the site replaces by their documentation.
_REFERENCE = re.compile(r"^<!-- reference: ([\w.]+) -->\n(.+?)\n$", re.DOTALL | re.MULTILINE)


class _Links(Treeprocessor):
    """Changes the links of the page that is being rendered from paths in the clone to places in the site."""

    page = ""
    places: dict[str, str] = {}  # noqa: RUF012 - replaced as a whole

    def run(self, root: Element) -> None:
        for element in root.iter():
            name = {"a": "href", "img": "src"}.get(element.tag, "")
            if link := element.get(name):
                element.set(name, self.changed(link))

    def changed(self, link: str) -> str:
        found = tree.target(self.page, link)
        place = found and self.places.get(found[0])
        if not found or not place:
            return link
        # A code host marks a range of lines by "L3-L7"; the site goes to its first line.
        fragment = re.sub(r"^(L\d+)-L\d+$", r"\1", found[1])
        path = relpath(place, dirname(tree.place(self.page)) or ".")
        return f"{path}#{fragment}" if fragment else path


class _LinksExtension(Extension):
    def __init__(self) -> None:
        super().__init__()
        self.links = _Links()

    def extendMarkdown(self, md: Markdown) -> None:
        # After the inline patterns, which make the links, and before MkDocs checks them.
        md.treeprocessors.register(self.links, "links of the clone", 10)


_extension = _LinksExtension()
_origins: dict[str, str] = {}
_scripts: dict[scripts.Script, Path] = {}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Make the navigation, and bring the scripts."""
    config.nav = [{"Overview": "index.md"}, {"Contents": "contents.md"}]
    config.nav += [_in_navigation(section) for section in tree.sections()]
    config.markdown_extensions.append(_extension)  # type: ignore[arg-type]
    try:
        _scripts.update({script: scripts.take(script, tree.ROOT / "build") for script in scripts.SCRIPTS})
    except (OSError, subprocess.CalledProcessError) as error:
        LOG.warning(f"the browser loads scripts of the site from the network: {error}")
    else:
        config.extra["polyfills"] = [scripts.IFRAME_WORKER.place]
    return config


def _in_navigation(section: tree.Section) -> dict[str, Any]:
    pages = [tree.place(page) if isinstance(page, str) else _in_navigation(page) for page in section.pages]
    return {section.title: pages}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside notes/."""
    readme = files.get_file_from_path("README.md")
    if readme:
        files.remove(readme)
    outside = {**tree.FIRST, **tree.linked()}
    for path, place in outside.items():
        files.append(File.generated(config, place, content=_content(path)))
    for script, file in _scripts.items():
        files.append(File.generated(config, script.place, abs_src_path=str(file)))
    files.append(File.generated(config, _DIAGRAMS, abs_src_path=str(Path(__file__).with_name("diagrams.js"))))
    places = {**outside, **{page: tree.place(page) for page in tree.pages()}}
    _origins.clear()
    _origins.update({place: path for path, place in places.items()})
    # A link to a folder with a README.md goes to that page; a link to an image stays.
    folders = {dirname(path): place for path, place in places.items() if path.endswith("/README.md")}
    images = {f"notes/{file.src_uri}": file.src_uri for file in files if Path(file.src_uri).suffix in tree.MEDIA}
    _extension.links.places = {**images, **folders, **places}
    # These pages are found by links only.
    config.not_in_nav = _patterns(place for place in outside.values() if place.startswith("clone/"))
    return files


def _patterns(places: Any) -> Any:
    from pathspec.gitignore import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(f"/{place}" for place in places)


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Remember whose links are rendered next, weigh the page, and put the API reference in its place."""
    _extension.links.page = _origins[page.file.src_uri]
    if boost := BOOSTS.get(page.file.src_uri):
        page.meta["search"] = {"boost": boost}
    return _REFERENCE.sub(lambda found: _references(found[1], found[2]), markdown)


def _references(module: str, names: str) -> str:
    return "".join(f"\n::: {module}.{name}\n" for name in re.findall(r"`(\w+)`", names))


def on_page_content(content: str, *, page: Page, **_: Any) -> str:
    """Shorten the anchors of the API reference; frame the diagrams, and load their scripts on pages that have one.

    The frame scrolls where the page is narrow. The search ignores the text from which a diagram is drawn. In code in a
    table the code hosts show `\\|` as `|`; Python-Markdown keeps the backslash.
    """
    content = _ANCHOR.sub("", content)
    content = _CELL.sub(lambda cell: cell[0].replace("\\|", "|"), content)
    content, diagrams = _DIAGRAM.subn(r'<div class="diagram" tabindex="0" data-search-exclude="">\g<0></div>', content)
    if scripts.MERMAID in _scripts and diagrams:
        folder = dirname(page.file.dest_uri) or "."
        for place in (scripts.MERMAID.place, _DIAGRAMS):
            content += f'\n<script src="{relpath(place, folder)}"></script>'
    return content


def rank(entries: list[dict[str, Any]]) -> None:
    """Put the name that was searched for before longer ones: recv before recvfrom.

    The search also finds words that begin with the one that was searched for, and weighs rare words more.
    """
    reference = [entry for entry in entries if entry["location"].startswith("api.html#")]
    names = {entry["title"].lower() for entry in reference}
    for entry in reference:
        name = entry["title"].lower()
        # sockaddr_in6 comes after sockaddr_in, and that after sockaddr.
        entry["boost"] /= 4 ** sum(name[:length] in names for length in range(1, len(name)))


@event_priority(100)  # before the plugin writes its index
def on_post_build(config: MkDocsConfig) -> None:
    """Change the order of what the search finds."""
    rank(config.plugins["material/search"].search_index.entries)  # type: ignore[attr-defined]


def on_post_page(output: str, **_: Any) -> str:
    """Shorten the anchors in the table of contents and in the links from other pages."""
    return _ANCHOR.sub("", output)


# ---- pages outside notes/


def _content(path: str) -> str:
    file = tree.ROOT / path
    if path.endswith(".md"):
        return file.read_text(encoding="utf-8")
    return _folder(path) if file.is_dir() else _source(path)


def _folder(path: str) -> str:
    names = sorted(
        entry.name + "/" * entry.is_dir() for entry in (tree.ROOT / path).iterdir() if entry.name[0] not in "_."
    )
    lines = [f"- `{name}`" for name in names]
    return "\n".join([_HEAD.format(path=path), f"The folder `{path}` of the clone has:", "", *lines, ""])


_HEAD = "---\ntitle: {path}\nhide: [toc]\nsearch:\n  exclude: true\n---\n\n# `{path}`\n"


def _source(path: str) -> str:
    """A page with the text of a file, whose lines have the anchors L1, L2, ..."""
    text = (tree.ROOT / path).read_text(encoding="utf-8")
    try:
        lexer = get_lexer_for_filename(path)
    except ClassNotFound:
        lexer = TextLexer()
    shown = highlight(text, lexer, HtmlFormatter(nowrap=True)).splitlines()
    lines = [f'<span id="L{n}"><a href="#L{n}">{n:4}</a> {line}</span>' for n, line in enumerate(shown, start=1)]
    # No line may be empty: a blank line would end the block for Markdown.
    code = "\n".join(lines)
    label = html.escape(f"Source of {path}")
    block = f'<div class="highlight source" aria-label="{label}"><pre><code>{code}</code></pre></div>'
    return f"{_HEAD.format(path=path)}\n{block}\n"
