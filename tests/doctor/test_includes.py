"""winsock.doctor layout reads the files that a source includes, and reports those that it cannot read."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from winsock.doctor import mql_source, source_files
from winsock.doctor.__main__ import main
from winsock.doctor.findings import Finding
from winsock.doctor.layout import compare
from winsock.doctor.source_files import Includes, SourceError, SourceFile, decoded, read_source

TIMEVAL = "struct timeval { int tv_sec; int tv_usec; };\n"
LINGER = "struct linger { int l_onoff; ushort l_linger; };\n"


def compared(path: Path, text: str, only: str | None = None) -> list[Finding]:
    path.write_text(text, encoding="utf-8")
    return compare(SourceFile(path.name, text, path.parent), 64, only, Includes(path))


def verdicts(findings: list[Finding]) -> dict[str, bool | None]:
    return {finding.what: finding.ok for finding in findings}


def notes(findings: list[Finding]) -> list[str]:
    return [f"{finding.what} {finding.found}" for finding in findings if finding.what.startswith("#include")]


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-8-sig", "cp1251"])
def test_an_included_file_is_checked_in_any_encoding(tmp_path: Path, codec: str) -> None:
    (tmp_path / "types.mqh").write_bytes(f"// \u0442\u0438\u043f\u044b\r\n{TIMEVAL}".encode(codec))
    findings = compared(tmp_path / "a.mq5", '#include "types.mqh"\n' + LINGER)
    assert verdicts(findings) == {"struct timeval": True, "struct linger": False}


def test_macros_and_types_are_known_after_the_directive_that_includes_them(tmp_path: Path) -> None:
    (tmp_path / "types.mqh").write_text("#define WORD ushort\ntypedef WORD U16;\n", encoding="utf-8")
    text = '#include "types.mqh"\nstruct linger { U16 l_onoff; WORD l_linger; };\n'
    assert verdicts(compared(tmp_path / "a.mq5", text))["struct linger"] is True


@pytest.mark.parametrize(
    "name", ["sub\\types.mqh", "sub/types.mqh", ".\\SUB\\Types.MQH", "sub\\..\\sub//types.mqh", "sub\\types.mqh "]
)
def test_a_name_is_found_as_windows_finds_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "types.mqh").write_text(TIMEVAL, encoding="utf-8")
    assert verdicts(compared(tmp_path / "a.mq5", f'  #  include   "{name.strip()}" // x\n'))["struct timeval"] is True


def test_a_name_is_relative_to_the_file_that_includes_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "one.mqh").write_text('#include "two.mqh"\n#include "..\\three.mqh"\n', encoding="utf-8")
    (tmp_path / "sub" / "two.mqh").write_text(TIMEVAL, encoding="utf-8")
    (tmp_path / "three.mqh").write_text("struct in_addr { uint s_addr; };\n", encoding="utf-8")
    findings = compared(tmp_path / "a.mq5", '#include "sub\\one.mqh"\n')
    assert verdicts(findings) == {"struct timeval": True, "struct in_addr": True}


def test_files_that_include_each_other_or_themselves_are_read_once(tmp_path: Path) -> None:
    (tmp_path / "one.mqh").write_text('#include "two.mqh"\n#include "one.mqh"\n' + TIMEVAL, encoding="utf-8")
    (tmp_path / "two.mqh").write_text('#include "one.mqh"\n#include "a.mq5"\n#include "./two.mqh"', encoding="utf-8")
    findings = compared(tmp_path / "a.mq5", '#include "one.mqh"\n#include "two.mqh"\n' + LINGER)
    assert verdicts(findings) == {"struct timeval": True, "struct linger": False}


def test_a_place_names_the_included_file_and_its_line(tmp_path: Path) -> None:
    (tmp_path / "b.mqh").write_text(
        '\n\n#define AF_INET 3\n#import "ws2_32.dll"\nint closesocket(uint s);\n#import\nuchar d[4];\n'
        "void f() { WSAStartup(2, d); }\nstruct linger { Unknown u; };\n",
        encoding="utf-8",
    )
    findings = compared(tmp_path / "a.mq5", '\n#include "b.mqh"\n#define AF_INET6 4\nstruct timeval { Other o; };')
    text = "\n".join(f"{finding.what} {finding.found}" for finding in findings)
    included = tmp_path / "b.mqh"
    for place in (f"{included}:3: it is 3", f"{included}:5: int closesocket", f"{included}:8: d has", f"{included}:9 "):
        assert place in text
    assert "a.mq5:3: it is 4" in text
    assert "a.mq5:4 struct timeval is not compared" in text
    [function] = [finding for finding in findings if finding.what == "function closesocket"]
    assert function.facts is not None
    assert function.facts["line"] == 5


@pytest.mark.parametrize(
    ("directive", "reason"),
    [
        ('"missing.mqh"', "there is no such file"),
        ('"no\\such\\folder.mqh"', "there is no such file"),
        ('"."', "there is no such file"),
        ('""', "there is no such file"),
        ('"a\0b"', ""),
        ("<Trade\\Trade.mqh>", "only files in quotation marks are read"),
        (f'"{"x" * 300}"', ""),
    ],
)
def test_a_file_that_is_not_read_is_a_note_with_its_place(tmp_path: Path, directive: str, reason: str) -> None:
    findings = compared(tmp_path / "a.mq5", f"{TIMEVAL}#include {directive}\n{LINGER}")
    [note] = notes(findings)
    assert note.startswith(f"#include {directive} a.mq5:2: not read: ")
    assert reason in note
    assert verdicts(findings)["struct linger"] is False
    assert verdicts(findings)["struct timeval"] is True


def test_a_missing_file_alone_does_not_hide_that_nothing_was_compared(tmp_path: Path) -> None:
    first, note = compared(tmp_path / "a.mq5", '#include "b.mqh"\n')
    assert (first.ok, first.found) == (False, "contains no struct, no constant and no function of Winsock")
    assert note.ok is None
    first, note = compared(tmp_path / "a.mq5", '#include "b.mqh"\n', only="timeval")
    assert (first.ok, first.found, note.ok) == (False, "contains no struct timeval", None)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no device files")
def test_a_device_is_not_read(tmp_path: Path) -> None:
    assert "there is no such file" in notes(compared(tmp_path / "a.mq5", '#include "/dev/zero"\n'))[0]


def test_all_files_together_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_files, "MAX_BYTES", 100)
    for name in ("b", "c"):
        (tmp_path / f"{name}.mqh").write_text(f"struct {name} {{ int a; }};" + " " * 40, encoding="utf-8")
    findings = compared(tmp_path / "a.mq5", '#include "b.mqh"\n#include "c.mqh"\n')
    assert verdicts(findings)["struct b"] is None
    assert "has more than" in notes(findings)[0]


def test_a_chain_of_files_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mql_source, "_MAX_INCLUDES", 3)
    for number in range(5):
        text = f'struct s{number} {{ int a; }};\n#include "{number + 1}.mqh"\n'
        (tmp_path / f"{number}.mqh").write_text(text, encoding="utf-8")
    findings = compared(tmp_path / "a.mq5", '#include "0.mqh"\n')
    assert sorted(verdicts(findings)) == ['#include "3.mqh"', "struct s0", "struct s1", "struct s2"]
    assert "files include each other too deeply" in notes(findings)[0]


def test_a_directive_that_is_not_compiled_or_not_complete_includes_nothing(tmp_path: Path) -> None:
    (tmp_path / "b.mqh").write_text(TIMEVAL, encoding="utf-8")
    text = '#ifdef NO\n#include "b.mqh"\n#endif\n#if 0\n#include "b.mqh"\n#endif\n'
    text += '#include\n#include b.mqh\n// #include "b.mqh"\n'
    assert verdicts(compared(tmp_path / "a.mq5", text + LINGER)) == {"struct linger": False}


def test_an_unfinished_condition_of_an_included_file_ends_with_it(tmp_path: Path) -> None:
    (tmp_path / "b.mqh").write_text("#endif\n#else\n#ifdef NO\n", encoding="utf-8")
    text = '#ifdef __MQL5__\n#include "b.mqh"\n' + TIMEVAL + "#else\n" + LINGER + "#endif\n"
    assert verdicts(compared(tmp_path / "a.mq5", text)) == {"struct timeval": True}


def test_standard_input_may_include_files_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b.mqh").write_text(TIMEVAL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'#include "b.mqh"\n')))
    assert main(["layout", "-"]) == 0
    assert "ok     struct timeval" in capsys.readouterr().out


def test_the_command_reads_the_included_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "b.mqh").write_text(LINGER, encoding="utf-16")
    (tmp_path / "a.mq5").write_text('#include "b.mqh"\n', encoding="utf-16")
    assert main(["layout", str(tmp_path / "a.mq5")]) == 1
    assert "WRONG  struct linger" in capsys.readouterr().out


def test_a_source_that_cannot_be_read_is_an_error_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read: "):
        read_source(tmp_path / "missing")
    (tmp_path / "large").write_bytes(b" " * 11)
    with pytest.raises(SourceError, match="has more than"):
        read_source(tmp_path / "large", 10)
    assert decoded(read_source(tmp_path / "large", 11)) == " " * 11


@pytest.mark.parametrize(
    "definition",
    [
        "#define AF_INET 3",
        "const int AF_INET = 3;",
        "enum { FIRST,\nAF_INET = 3 };",
        "typedef ushort DWORD;",
        "#define htons(x) (x)",
    ],
)
def test_a_wrong_definition_is_reported_with_its_file_and_line(tmp_path: Path, definition: str) -> None:
    (tmp_path / "types.mqh").write_text("\n\n" + definition + "\n", encoding="utf-8")
    (finding,) = compared(tmp_path / "a.mq5", '#include "types.mqh"\n')
    line = 3 + definition.count("\n")
    assert finding.ok is False
    assert finding.found.startswith(f"{tmp_path / 'types.mqh'}:{line}: ")
