"""`python -m demos beside FILE`: two columns in the terminal, a page, and what is wrong with a file."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from html import escape
from pathlib import Path

import pytest
from beside_kit import STUDIES, listing, procedures_of
from terminal_kit import ROOT

from demos.__main__ import main
from demos.beside.studies import all_errata, all_studies

each_program = pytest.mark.parametrize("name", STUDIES)


@pytest.fixture(autouse=True)
def _width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "My Server.mq5"
    path.write_text(listing("signal_server"), encoding="utf-8")
    return path


def beside(*arguments: str | Path) -> int:
    return main(["beside", *map(str, arguments)])


@each_program
def test_every_procedure_is_shown_with_our_lines_and_its_explanation(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "listing.mq5"
    path.write_text(listing(name), encoding="utf-8")
    assert beside(path) == 0
    out, err = capsys.readouterr()
    assert not err
    study = STUDIES[name]
    assert all(len(line) <= 80 for line in out.splitlines())
    for part in study.parts:
        assert f"== {part.name}" in out
        right = [line[41:] for line in out.splitlines() if line[38:41] == " | "]
        assert any(line.startswith(f"{part.last:>4} ") for line in right)
    total = len(procedures_of(study))
    assert " ".join(out.split()).count(f"{total} of the {total} procedures of {study.listing} were found.") == 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-8", "cp1252"])
def test_every_encoding_of_metaeditor_is_read(
    encoding: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "listing.mq5"
    path.write_bytes(listing("tpl_client").encode(encoding))
    assert beside(path, "--procedure", "inputs and variables") == 0
    assert "//| café |" in capsys.readouterr().out


def test_what_was_not_found_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "listing.mq5"
    path.write_text(listing("signal_client", ("Receive",), "void Mine()\n{\n"), encoding="utf-8")
    assert beside(path) == 0
    out = capsys.readouterr().out
    assert "listing.mq5 next to demos/signal/client.py: 9 of the 10 procedures" in out
    assert out.endswith(
        "Not found in listing.mq5: Receive\nWithout a closing brace in listing.mq5: Mine\n"
        "Only in listing.mq5: Mine\nOnly in demos/signal/client.py: Connected\n"
    )
    assert re.search(r"^ +\(not found\) +\|  117 def Receive", out, re.MULTILINE)


def test_one_procedure_is_shown(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert beside(file, "--procedure", "Send", "--procedure", "Close") == 0
    assert re.findall(r"^== (\w+)", capsys.readouterr().out, re.MULTILINE) == ["Send", "Close"]


def test_a_line_of_the_reader_s_file_cannot_control_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "listing.mq5"
    path.write_text(listing("tick_client", more="void X()\n{\n// \x1b[2J\u202e\n}\n"), encoding="utf-8")
    assert beside(path) == 0
    out = capsys.readouterr().out
    assert "\\x1b[2J" in out
    assert all(line.isprintable() for line in out.splitlines())


def test_a_long_name_of_a_file_or_a_procedure_keeps_the_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"{'x' * 64}.mq5"
    path.write_text(listing("tick_client", more=f"void {'Y' * 100_000}()\n{{\n}}\n"), encoding="utf-8")
    assert beside(path) == 0
    out = capsys.readouterr().out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert f"{'x' * 35}... | demos/ticks/client.py" in out
    assert f"== {'Y' * 73}... \n" in out


def test_a_closed_standard_output_is_no_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    assert beside(file) == 0


def test_wide_characters_keep_the_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "listing.mq5"
    path.write_text(listing("tick_client", more=f"// {'接' * 60}\nvoid X()\n{{\n}}\n"), encoding="utf-8")
    assert beside(path, "--procedure", "X") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "接" in line]
    assert len(lines) >= 3
    assert all(len(line) + line.count("接") <= 80 for line in lines)


def test_of_an_article_all_programs_are_shown_unless_the_user_chooses_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "article.md"
    path.write_text("".join(f"```\n{listing(name)}```\n" for name in STUDIES), encoding="utf-8")
    assert beside(path) == 0
    out = capsys.readouterr().out
    assert " ".join(out.split()).count(" were found.") == 6
    assert all(out.count(f"| {study.file}\n") == len(study.parts) for study in STUDIES.values())
    assert beside(path, "--program", "tick_server") == 0
    out = capsys.readouterr().out
    assert "next to demos/ticks/server.py: 4 of the 4 procedures" in out
    assert " ".join(out.split()).count(" were found.") == 1


def test_every_command_of_the_pages_shows_the_saved_article(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("FILE").write_text("".join(f"```\n{listing(name)}```\n" for name in STUDIES), encoding="utf-8")
    commands = {
        command
        for page in (ROOT / "notes" / "beside").glob("*.md")
        for command in re.findall(r"^    python -m demos (beside .*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(commands) >= 8
    for command in commands:
        assert main(command.split()) == 0, command
    assert not capsys.readouterr().err


def test_programs_that_follow_each_other_in_a_source_file_are_all_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "both.mq5"
    path.write_text(listing("signal_server") + listing("signal_client"), encoding="utf-8")
    assert beside(path) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "both.mq5 next to demos/signal/server.py: 10 of the 10 procedures" in out
    assert "both.mq5 next to demos/signal/client.py: 10 of the 10 procedures" in out
    assert "Only in both.mq5" not in out
    assert beside(path, "--program", "signal_client", "--procedure", "Receive") == 0
    assert "next to demos/signal/client.py: 10 of the 10 procedures" in " ".join(capsys.readouterr().out.split())


def test_a_program_that_is_not_shown_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "both.mq5"
    first = listing("signal_server")
    path.write_text(first + "//--- mine\nint OnInit()\n{\n}\n", encoding="utf-8")
    assert beside(path) == 0
    number = first.count("\n") + 1
    expected = f"Not shown, because not recognized or a second copy: the program at line {number} of both.mq5"
    assert expected in " ".join(capsys.readouterr().out.split())


def test_a_program_in_several_blocks_is_shown_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "article.md"
    parts = listing("signal_server").replace("//--- about", "```\nText\n```\n//--- about")
    path.write_text(f"```\n{parts}```\n", encoding="utf-8")
    assert beside(path) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "article.md next to demos/signal/server.py: 10 of the 10 procedures of SignalServer were found" in out
    assert out.count(" next to ") == 1
    assert "Not shown" not in out


@each_program
def test_no_name_is_broken_in_a_terminal_of_80_columns(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "listing.mq5"
    more = "void X()\n  {\n   addr.sin_addr.u.S_addr=inet_addr(StringToCharArray(Host,HostBytes,0,-1)).Value;\n  }\n"
    path.write_text(listing(name, more=more), encoding="utf-8")
    assert beside(path) == 0
    out = capsys.readouterr().out
    for start, stop, lines in ((5, 38, [more]), (46, 80, STUDIES[name].lines)):
        column = " ".join(line[start:stop] for line in out.splitlines() if line[38:40] == " |")
        words = set(re.findall(r"\w+", column))
        # A column has room for 33 characters of code.
        assert {word for word in re.findall(r"\w+", "\n".join(lines)) if len(word) <= 33} <= words


def test_the_page_has_all_programs_and_escapes_the_reader_s_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Windows allows no such characters in a name.
    path, target = tmp_path / ("article.md" if os.name == "nt" else "<b>.md"), tmp_path / "page.html"
    hostile = 'void X() { Print("</pre><script>alert(1)</script>"); /* & <i> \x1b */ }\n'
    path.write_text("".join(f"```\n{listing(name, more=hostile)}```\n" for name in STUDIES), encoding="utf-8")
    assert beside(path, "--html", target) == 0
    page = target.read_text(encoding="utf-8").replace("<wbr>", "")
    assert capsys.readouterr().out.endswith(f"wrote {target}\n")
    assert f"<h1>{escape(path.name)} and" in page
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 6
    assert "\x1b" not in page
    for study in STUDIES.values():
        for part in study.parts:
            assert page.count(f'id="{study.name}-{part.name.replace(" ", "-")}"') == 1
            assert f'data-line="{part.last}"' in page
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert links
    assert links <= set(re.findall(r'id="([^"]+)"', page))


def test_a_narrow_page_breaks_a_line_of_code_after_a_bracket_or_a_comma(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    assert beside(file, "--html", target) == 0
    page = target.read_text(encoding="utf-8")
    assert "PositionSelectByTicket(<wbr>PositionGetTicket(<wbr>i))" in page
    assert "OnTrade(<wbr>int a,<wbr>string b)" in page


def test_the_text_of_the_page_is_that_of_both_programs(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    assert beside(file, "--html", target) == 0
    rows = re.findall(r'<span class="row(?: marked)?" data-line="(\d+)">(.*?)\n</span>', target.read_text("utf-8"))
    shown = {(int(number), re.sub(r"<[^>]+>", "", row)) for number, row in rows}
    study = STUDIES["signal_server"]
    for lines in (file.read_text("utf-8").splitlines(), study.lines):
        assert {(number, escape(line, quote=False)) for number, line in enumerate(lines, 1) if line} <= shown


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "int A() { }",
            f"has no procedure of the article's programs: {', '.join(STUDIES)}",
        ),
        (
            "".join(f"void {procedure}() {{ }}\n" for procedure in procedures_of(STUDIES["signal_server"])[5:]),
            "is not recognized as one of the article's programs. The nearest one is signal_server (5 of its 10 "
            f"procedures). Choose one with --program: {', '.join(STUDIES)}",
        ),
        (
            '#import "ws2_32.dll"\nint send(uint s,uchar &buf[],int len,int flags);\n#import\nint Help() { }\n',
            "is a header, not a program: notes/listing.md compares the article's header with winsock, and "
            "`python -m winsock.doctor layout FILE` checks any header",
        ),
        (
            '> #import "ws2_32.dll"\n> int send(uint s,uchar &buf[],int len,int flags);\n',
            "has no procedures of MQL: FILE must be a listing (.mq5), or the saved article",
        ),
        (
            "MIME-Version: 1.0\nContent-Type: multipart/related;\n\tboundary=x\n\nint OnInit() { }\n",
            "is a web archive (MHTML): save the page as HTML",
        ),
        ("nothing", "has no procedures of MQL: FILE must be a listing (.mq5), or the saved article"),
        ("", "has no procedures of MQL: FILE must be a listing (.mq5), or the saved article"),
    ],
)
def test_another_file_is_an_error(
    content: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.mq5"
    path.write_text(content, encoding="utf-8")
    assert beside(path) == 4
    assert capsys.readouterr().err == f"python -m demos beside: error: {path} {message}\n"


def test_a_file_without_procedures_of_the_chosen_program_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.mq5"
    path.write_text("void Mine() { }", encoding="utf-8")
    assert beside(path, "--program", "tpl_client") == 4
    assert capsys.readouterr().err.endswith("has none of the procedures of tpl_client\n")


@pytest.mark.parametrize("options", [["--procedure", "Snd"], ["--procedure", "Send", "--html", "page.html"]])
def test_a_wrong_procedure_is_an_error(options: list[str], file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert beside(file, *options) == 2
    out, err = capsys.readouterr()
    assert not out
    assert "no procedure 'Snd': choose from " in err or "--procedure is for the terminal" in err


def test_files_that_cannot_be_used_are_errors(tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert beside(tmp_path / "none.mq5") == 4
    assert beside(tmp_path) == 4
    assert beside(file, "--html", file) == 2
    assert beside(file, "--html", tmp_path) == 2
    assert beside(file, "--html", tmp_path / "none" / "page.html") == 4
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 5
    assert all(line.startswith("python -m demos beside: error: ") for line in errors)


@pytest.mark.parametrize("shown", ["path", "readme"])
def test_the_page_replaces_no_file_that_it_shows(
    shown: str, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demos.beside.command._write", lambda path, text: None)
    target = getattr(STUDIES["tick_client"], shown)
    assert beside(file, "--html", target) == 2
    assert f"--html {target} would overwrite the file of " in capsys.readouterr().err


@pytest.fixture
def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of signal_server in a copy of the study programs, which a test changes."""
    demos = tmp_path / "clone" / "demos"
    for name in ("signal", "template", "ticks"):
        shutil.copytree(ROOT / "demos" / name, demos / name)
    monkeypatch.setattr("demos.registry._DEMOS", demos)
    monkeypatch.setattr("demos.beside.studies.ROOT", demos.parent)
    all_errata()  # of the clone; the copy has no notes
    all_studies.cache_clear()
    yield demos / "signal"
    all_studies.cache_clear()


def test_a_study_program_that_is_not_python_is_an_error(
    file: Path, changed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (changed / "server.py").write_text("def OnTick(:\n", encoding="utf-8")
    assert beside(file) == 2
    assert " is not Python: " in capsys.readouterr().err


def test_a_study_program_that_a_reader_has_changed_is_shown_as_it_is(
    file: Path, changed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = changed / "server.py"
    text = program.read_text(encoding="utf-8")
    # Two more lines above all procedures, and the last procedure is gone.
    text = text[: text.index("def GetSymbolLot")].replace("def OnInit", "mine = 1\n\n\ndef OnInit", 1)
    program.write_text(text, encoding="utf-8")
    assert beside(file) == 0
    out = capsys.readouterr().out
    assert re.search(r"== OnTimer, .*?\| +\d+ def OnTimer", out, re.DOTALL)
    ours = [line[40:].strip() for line in out.splitlines() if line[38:41] == " | " and line[41:45].strip().isdigit()]
    numbers = [int(line.split()[0]) for line in ours]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] <= len(text.splitlines())
    target = tmp_path / "page.html"
    assert beside(file, "--html", target) == 0
    assert target.read_text(encoding="utf-8").count("Not found in our program.") == 1
