"""The notes are correct: snippets and commands print the output that is shown, and names, paths and links exist."""

from __future__ import annotations

import doctest
import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from trace_kit import ROOT, python

import winsock
from demos.registry import find_program
from notes import conversations
from winsock.doctor.__main__ import main as doctor
from winsock.errors import WSAError

NOTES = {
    path.relative_to(ROOT / "notes").as_posix(): path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "notes").rglob("*.md"))
}

# The names in the header that the article prints, in its order, and in two structures of its text.
PRINTED = """
BYTE WORD DWORD DWORD_PTR SOCKET MAKEWORD WSADESCRIPTION_LEN WSASYS_STATUS_LEN INVALID_SOCKET SOCKET_ERROR NO_ERROR
SOMAXCONN AF_INET SOCK_STREAM IPPROTO_TCP SD_RECEIVE SD_SEND SD_BOTH IOCPARM_MASK IOC_IN _IOW FIONBIO WSAData LPWSADATA
sockaddr_in in_addr sockaddr LPSOCKADDR ref_sockaddr WSAStartup WSACleanup WSAGetLastError htons inet_addr inet_ntop
ntohs socket ioctlsocket shutdown closesocket bind listen accept connect send recv recvfrom sendto
"""
# Names that its programs use and the printed header lacks.
USED = "SOCK_DGRAM IPPROTO_UDP WSAErrorDescript WSAEWOULDBLOCK WSAEISCONN"
# Names that only the attached library has.
LIBRARY = (
    "DWORD_PTR32 DWORD_PTR64 SOCKET32 SOCKET64 INVALID_SOCKET32 INVALID_SOCKET64 S_un_b S_un_w S_un ref_sockaddr_in"
)
# The error codes of the library, without the prefix.
LIBRARY_ERRORS = """
_INVALID_HANDLE _NOT_ENOUGH_MEMORY _INVALID_PARAMETER _OPERATION_ABORTED _IO_INCOMPLETE _IO_PENDING EINTR EBADF EACCES
EFAULT EINVAL EMFILE EWOULDBLOCK EINPROGRESS EALREADY ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT
EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH
ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT ECONNREFUSED ELOOP
ENAMETOOLONG EHOSTDOWN EHOSTUNREACH ENOTEMPTY EPROCLIM EUSERS EDQUOT ESTALE EREMOTE SYSNOTREADY VERNOTSUPPORTED
NOTINITIALISED EDISCON ENOMORE ECANCELLED EINVALIDPROCTABLE EINVALIDPROVIDER EPROVIDERFAILEDINIT SYSCALLFAILURE
SERVICE_NOT_FOUND TYPE_NOT_FOUND _E_NO_MORE _E_CANCELLED EREFUSED HOST_NOT_FOUND TRY_AGAIN NO_RECOVERY NO_DATA
_QOS_RECEIVERS _QOS_SENDERS _QOS_NO_SENDERS _QOS_NO_RECEIVERS _QOS_REQUEST_CONFIRMED _QOS_ADMISSION_FAILURE
_QOS_POLICY_FAILURE _QOS_BAD_STYLE _QOS_BAD_OBJECT _QOS_TRAFFIC_CTRL_ERROR _QOS_GENERIC_ERROR _QOS_ESERVICETYPE
_QOS_EFLOWSPEC _QOS_EPROVSPECBUF _QOS_EFILTERSTYLE _QOS_EFILTERTYPE _QOS_EFILTERCOUNT _QOS_EOBJLENGTH _QOS_EFLOWCOUNT
_QOS_EUNKOWNPSOBJ _QOS_EPOLICYOBJ _QOS_EFLOWDESC _QOS_EPSFLOWSPEC _QOS_EPSFILTERSPEC _QOS_ESDMODEOBJ
_QOS_ESHAPERATEOBJ _QOS_RESERVED_PETYPE
"""

# The article's six programs, each with the name and the module of our study program and of our product program.
PROGRAMS = {
    "SignalServer": ("signal_server", "demos/signal/server.py", "provider", "demos/provider/provider.py"),
    "SignalClient": ("signal_client", "demos/signal/client.py", "copier", "demos/copier/copier.py"),
    "TplServer": ("tpl_server", "demos/template/server.py", "chart_server", "demos/chartfeed/server.py"),
    "TplClient": ("tpl_client", "demos/template/client.py", "chart_client", "demos/chartfeed/client.py"),
    "the tick server": ("tick_server", "demos/ticks/server.py", "tick_collector", "demos/collector/collector.py"),
    "the tick client": ("tick_client", "demos/ticks/client.py", "tick_sender", "demos/collector/sender.py"),
}
PAIRS = ("signal", "template", "ticks")

# The numbers of the known defects: letter and highest number.
DEFECTS = {"S": 27, "T": 13, "U": 6, "H": 6, "A": 7}


class Block(NamedTuple):
    """A fenced block of a page, and the text block that follows it."""

    place: str
    kind: str
    text: str
    output: str


def blocks(kind: str) -> list[Block]:
    fence = re.compile(r"^```(\w+)\n(.*?)^```$(?:\n+```text\n(.*?)^```$)?", re.DOTALL | re.MULTILINE)
    found = []
    # The folders of notes/ have tests of their own: the blocks of their pages are parts of programs.
    for page, note in NOTES.items():
        for match in fence.finditer(note) if "/" not in page else ():
            line = note.count("\n", 0, match.start()) + 1
            found.append(Block(f"{page}:{line}", match[1], match[2], match[3] or ""))
    return [block for block in found if block.kind == kind]


def commands() -> list[Block]:
    """The commands of the console blocks, each with the output that is shown."""
    found = []
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append(block._replace(text=command, output=output))
    return found


def by_place(cases: list[Block]) -> list[object]:
    return [pytest.param(case, id=f"{case.place}-{number}") for number, case in enumerate(cases)]


def test_a_line_with_two_commands_has_its_form_for_powershell_below_it() -> None:
    # PowerShell before version 7 does not know &&.
    for page, note in NOTES.items():
        for line in re.finditer(r"^    python .* && .*\n\n(.*)", note, re.MULTILINE):
            assert line[1].startswith("In PowerShell"), (page, line[0])


@pytest.mark.parametrize("snippet", by_place(blocks("python")))
def test_a_snippet_prints_the_output_that_follows_it(snippet: Block) -> None:
    done = python("-X", "utf8", "-c", snippet.text, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == snippet.output


@pytest.mark.parametrize("command", by_place(commands()))
def test_a_command_prints_the_output_that_follows_it(command: Block) -> None:
    words = shlex.split(command.text.replace(" HOST ", " 127.0.0.1 "))
    given = ""
    if words[0] == "echo":
        given, words = words[1], words[3:]
    assert words[:3] == ["python", "-m", "winsock.doctor"]
    done = subprocess.run(
        [sys.executable, *words[1:]], input=given, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    if command.output:
        wanted = command.output
        assert doctest.OutputChecker().check_output(wanted, done.stdout, doctest.ELLIPSIS), done.stdout


def test_the_doctor_accepts_every_command_in_the_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("FILE").write_text("struct linger { ushort l_onoff; ushort l_linger; };", encoding="ascii")
    named = {words for note in NOTES.values() for words in re.findall(r"`python -m winsock\.doctor([^`]*)`", note)}
    assert named
    for words in sorted(named):
        assert doctor(shlex.split(words.replace("HOST", "127.0.0.1").replace("PORT", "8081"))) in (0, 1), words
        assert capsys.readouterr().out


# ---- links, and what the pages name


def has_anchor(target: Path, anchor: str) -> bool:
    """Whether a page has the anchor, or a source file the lines, as in L3 or L3-L7."""
    text = target.read_text(encoding="utf-8")
    if target.suffix == ".md":
        return anchor in anchors(text) or f'id="{anchor}"' in text
    lines = re.fullmatch(r"L(\d+)(?:-L(\d+))?", anchor)
    return lines is not None and 1 <= int(lines[1]) <= int(lines[2] or lines[1]) <= text.count("\n")


def anchors(note: str) -> set[str]:
    """The anchors of a page's headings, and those that it sets itself."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", note, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    own = re.findall(r'<a id="([\w-]+)"></a>', note)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings} | {*own}


@pytest.mark.parametrize("page", NOTES)
def test_every_link_has_a_target(page: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", NOTES[page]):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        here = ROOT / "notes" / page
        target = here.parent / name if name else here
        assert target.exists(), link
        if anchor:
            assert has_anchor(target, anchor), link


@pytest.mark.parametrize("page", NOTES)
def test_every_file_and_folder_that_is_named_exists(page: str) -> None:
    for name in re.findall(r"`((?:demos|tests|winsock|compat|notes)/[\w/.]*)`", NOTES[page]):
        assert (ROOT / name).exists(), name


def test_the_index_has_every_page() -> None:
    # A README.md stands for the other pages of its folder.
    listed = re.findall(r"^\| \[([\w/-]+\.md)\]\(\1\) \|", NOTES["README.md"], re.MULTILINE)
    folders = {page.removesuffix("README.md") for page in listed if page.endswith("/README.md")}
    single = {page for page in NOTES if not page.startswith(tuple(folders)) or page.endswith("/README.md")}
    assert sorted(listed) == sorted(single - {"README.md"})


# ---- the header, name by name


def rows(text: str) -> list[list[str]]:
    """The cells of a page's tables, without the heading rows."""
    lines = re.findall(r"^\| (.*) \|$", text.replace("|  |", "| - |"), re.MULTILINE)
    cells = [[cell.strip() for cell in re.split(r" \|(?: |$)", line)] for line in lines]
    heads = {index - 1 for index, row in enumerate(cells) if set(row[0]) == {"-"}}
    return [row for index, row in enumerate(cells) if index not in heads and index - 1 not in heads]


def names(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def library_errors() -> set[str]:
    return {"WSA" + name for name in LIBRARY_ERRORS.split()}


LISTING = rows(NOTES["listing.md"])


def test_the_listing_has_exactly_the_names_of_the_articles_header_and_library() -> None:
    listed = [name for row in LISTING for name in names(row[0])]
    known = {*PRINTED.split(), *USED.split(), *LIBRARY.split(), *library_errors()}
    assert sorted(listed) == sorted(known)


def test_the_library_lacks_two_error_codes() -> None:
    assert WSAError.__members__.keys() - library_errors() == {
        "WSA_SECURE_HOST_NOT_FOUND",
        "WSA_IPSEC_NAME_POLICY_ERROR",
    }


def test_every_name_of_ours_in_the_listing_exists() -> None:
    ours = [name for row in LISTING for name in (names(row[0]) if row[1] == "the same names" else names(row[1]))]
    assert ours
    assert [name for name in ours if name not in winsock.__all__] == []


def test_every_row_of_the_listing_says_what_differs() -> None:
    assert all(len(row) == 3 and row[2] for row in LISTING)
    assert all(names(row[1]) or row[1] in ("\N{EN DASH}", "the same names") for row in LISTING)


# ---- the programs


def test_every_program_of_the_article_has_a_study_and_a_product_program() -> None:
    table = {row[0]: row[1:] for row in rows(NOTES["programs.md"]) if len(row) == 4}
    assert table.keys() == PROGRAMS.keys()
    for name, (study, study_module, product, product_module) in PROGRAMS.items():
        assert table[name][0] == f"`{study}`: `{study_module}`"
        assert table[name][1] == f"`{product}`: `{product_module}`"
        assert table[name][2]
        assert find_program(study).path == ROOT / study_module
        assert find_program(product).path == ROOT / product_module


@pytest.mark.parametrize("pair", PAIRS)
def test_every_pair_has_a_readme_that_the_programs_page_links(pair: str) -> None:
    assert (ROOT / "demos" / pair / "README.md").is_file()
    assert f"](../demos/{pair}/README.md)" in NOTES["programs.md"]


def test_every_procedure_that_the_programs_page_names_exists() -> None:
    table = {names_of_modules(row[0])[0]: row[1] for row in rows(NOTES["programs.md"]) if names_of_modules(row[0])}
    assert table.keys() == {product_module for _, _, _, product_module in PROGRAMS.values()}
    for path, text in table.items():
        port = importlib.import_module(path.removesuffix(".py").replace("/", "."))
        procedures = names(text)
        assert procedures
        for name in procedures:
            assert callable(getattr(port, name)), f"{path}: {name}"


def names_of_modules(cell: str) -> list[str]:
    return re.findall(r"^`(demos/[\w/]+\.py)`$", cell)


# ---- the defects


def defects() -> dict[str, list[str]]:
    """The rows of errata.md by their numbers, without the number."""
    # A bar inside a cell is escaped.
    text = NOTES["errata.md"].replace("\\|", "\N{BROKEN BAR}")
    text = re.sub(r'<a id="(\w+)"></a>(?=[A-Z]\d)', "", text)
    found = [row for row in rows(text) if re.fullmatch(r"[A-Z]\d+", row[0])]
    assert len(found) == len({row[0] for row in found})
    return {row[0]: row[1:] for row in found}


def test_every_known_defect_has_a_row_with_the_original_and_both_programs() -> None:
    numbers = {f"{letter}{number}" for letter, last in DEFECTS.items() for number in range(1, last + 1)}
    assert defects().keys() == numbers
    for number, cells in defects().items():
        assert len(cells) == 4, number
        assert all(cells), number


def names_of_tests(folder: str) -> list[str]:
    files = sorted((ROOT / "tests/demos" / folder).rglob("test_*.py"))
    assert files, folder
    return [name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text("utf-8"), re.MULTILINE)]


def test_every_defect_names_tests_that_exist() -> None:
    missing = []
    for number, cells in defects().items():
        for place in [] if cells[-1] == "\N{EN DASH}" else cells[-1].split(", "):
            if place.startswith("`"):
                if not (ROOT / place.strip("`")).is_file():
                    missing.append(f"{number}: {place}")
            elif not any(f"_{number.lower()}_" in name for name in names_of_tests(place)):
                missing.append(f"{number}: no test of it in tests/demos/{place}")
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("pair", PAIRS)
def test_every_mark_in_a_study_program_is_the_number_of_a_defect(pair: str) -> None:
    known = defects()
    for name in ("server", "client"):
        text = (ROOT / "demos" / pair / f"{name}.py").read_text(encoding="utf-8")
        comments = re.findall(r"(?<!\S)# ?(.*)$", text, re.MULTILINE)
        marks = {mark for comment in comments for mark in re.findall(r"\b[STUHA]\d+\b", comment)}
        assert marks
        assert marks <= known.keys()


# ---- the conversations


def arrows(diagram: str) -> set[str]:
    """The arrows of a diagram, without what differs from run to run.

    That is the port numbers, and the parentheses of a call after which its program made another one before the effect.
    """
    found = re.findall(r"^ +(P\d(?:-->>|->>|--\)|--x)P\d: .*)$", diagram, re.MULTILINE)
    found = [re.sub(r": \((.*?)\)(?= \u2192)", r": \1", arrow) for arrow in found]
    return {re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", arrow) for arrow in found}


@pytest.mark.parametrize("pair", conversations.PAIRS)
def test_a_run_of_a_pair_has_the_arrows_of_its_diagram(pair: str) -> None:
    mark = rf"<!-- run: {pair} -->\n```mermaid\n(.*?)```"
    shown = re.search(mark, NOTES["conversations.md"], re.DOTALL)
    assert shown is not None
    assert len(arrows(shown[1])) >= 3
    assert arrows(conversations.draw(pair)) == arrows(shown[1])


def test_a_new_diagram_replaces_the_old_one() -> None:
    for pair in conversations.PAIRS:
        changed = conversations.with_diagram(NOTES["conversations.md"], pair, "sequenceDiagram\n")
        assert f"<!-- run: {pair} -->\n```mermaid\nsequenceDiagram\n```" in changed
        assert changed.count("```mermaid") == len(conversations.PAIRS)
