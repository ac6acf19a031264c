"""No output of a command of ``python -m demos`` replaces one of its inputs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from terminal_kit import BARS, FOLLOWER
from tick_kit import commit

from demos.__main__ import main
from demos.collector.recorder import TickRecorder
from demos.collector.store import TickStore
from demos.launcher.output_files import check_folders, check_outputs
from demos.terminal.interfaces import OutputError, ProgramError
from winsock.command_line import is_same_file

TEMPLATE = b"<chart>\r\n</chart>\r\n"


def same_name(path: Path, link: Path) -> Path:
    return path.parent / "." / path.name


def hard_link(path: Path, link: Path) -> Path:
    link.hardlink_to(path)
    return link


def symbolic_link(path: Path, link: Path) -> Path:
    link.symlink_to(path)
    return link


NEEDS_LINKS = pytest.mark.posix_only(reason="symbolic links need a privilege on Windows")
LINKS = [same_name, hard_link, pytest.param(symbolic_link, marks=NEEDS_LINKS)]


def exit_code(*arguments: object) -> int:
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as error:
        return int(error.code or 0)


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    return Path(shutil.copy(BARS, tmp_path / "EURUSD_H1.tsv"))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "ticks.sqlite"
    with closing(TickStore(path)) as store:
        recorder = TickRecorder(store, 1252)
        recorder.add(b"EURUSD 1.1\0", "127.0.0.1:5001")
        commit(recorder, 1_700_000_000_000)
    return path


@pytest.mark.parametrize("link", LINKS)
def test_the_picture_of_collected_does_not_replace_the_database(database, tmp_path, capsys, link: Callable):
    before = database.read_bytes()
    picture = link(database, tmp_path / "p.png")
    assert exit_code("collected", database, "--picture", picture) == 2
    assert capsys.readouterr().err == (
        f"python -m demos collected: error: --picture {picture} would overwrite the file of the database; "
        "use another file\n"
    )
    assert database.read_bytes() == before


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_the_picture_of_collected_does_not_replace_a_file_of_the_database(database, suffix):
    assert exit_code("collected", database, "--picture", f"{database}{suffix}") == 2


@pytest.mark.parametrize("link", LINKS)
def test_an_export_does_not_replace_the_database(database, tmp_path, capsys, link: Callable):
    folder = tmp_path / "export"
    assert exit_code("collected", database, "--export", folder) == 0
    [exported] = folder.iterdir()
    exported.unlink()
    database = database.rename(exported)
    before = database.read_bytes()
    opened = link(database, tmp_path / "link")
    for _ in range(2):
        assert exit_code("collected", opened, "--export", folder) == 0
        assert database.read_bytes() == before
    assert len([path for path in folder.iterdir() if path.suffix == ".csv"]) == 2


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("option", ["--save-template", "--picture", "--events", "--account"])
def test_an_output_of_run_does_not_replace_the_bars(bars, tmp_path, capsys, option, link: Callable):
    before = bars.read_bytes()
    output = link(bars, tmp_path / "output")
    assert exit_code("run", FOLLOWER, "--bars", bars, option, output, "--duration", 0.1) == 2
    assert f"error: {option} {output} would overwrite the file of --bars; use another file\n" in capsys.readouterr().err
    assert bars.read_bytes() == before


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (("--save-template", "a.tpl"), "--save-template a.tpl would overwrite the file of --template"),
        (("--picture", "a.tpl"), "--picture a.tpl would overwrite the file of --template"),
        (("--events", "a.tpl"), "--events a.tpl would overwrite the file of --template"),
        (("--events", "program.py"), "--events program.py would overwrite the file of the program"),
        (("--events", "x", "--picture", "x"), "--picture x would overwrite the file of --events"),
        (("--account", "x", "--events", "x-wal"), "--events x-wal would overwrite the file of --account (-wal)"),
    ],
)
def test_an_output_of_run_does_not_replace_another_file_of_it(tmp_path, monkeypatch, capsys, outputs, message):
    monkeypatch.chdir(tmp_path)
    shutil.copy(FOLLOWER, "program.py")
    template = "a.tpl"
    Path(template).write_bytes(TEMPLATE)
    assert exit_code("run", "program.py", "--template", template, *outputs, "--duration", 0.1) == 2
    assert f"error: {message}; use another file\n" in capsys.readouterr().err
    assert Path(template).read_bytes() == TEMPLATE
    assert Path("program.py").read_bytes() == Path(FOLLOWER).read_bytes()


def test_the_events_of_the_collector_do_not_replace_its_database(database, capsys):
    assert exit_code("run", "tick_collector", "--database", database, "--events", database, "--duration", 0.1) == 2
    assert "would overwrite the file of --database" in capsys.readouterr().err


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("option", ["--database", "--picture"])
def test_an_output_of_the_job_ticks_does_not_replace_its_ticks(bars, tmp_path, capsys, option, link: Callable):
    before = bars.read_bytes()
    output = link(bars, tmp_path / "output")
    assert exit_code("ticks", "--bars", bars, option, output) == 2
    assert f"error: {option} {output} would overwrite the file of --bars; " in capsys.readouterr().err
    assert bars.read_bytes() == before


def test_the_picture_of_the_job_ticks_does_not_replace_its_database(database, capsys):
    assert exit_code("ticks", "--database", database, "--picture", database) == 2
    assert "would overwrite the file of --database" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["server.sqlite", "client2.sqlite-wal"])
def test_the_accounts_of_the_job_signal_do_not_replace_its_bars(bars, tmp_path, capsys, name):
    before = bars.read_bytes()
    bars = bars.rename(tmp_path / name)
    assert exit_code("signal", "--bars", bars, "--accounts", tmp_path) == 2
    assert "would overwrite the file of --bars; " in capsys.readouterr().err
    assert bars.read_bytes() == before


@pytest.mark.parametrize("name", ["server.tpl", "client.png", "client.tpl.part"])
def test_the_files_of_the_job_tpl_do_not_replace_its_bars(bars, tmp_path, capsys, name):
    before = bars.read_bytes()
    bars = bars.rename(tmp_path / name)
    assert exit_code("tpl", "--bars", bars, "--out", tmp_path, "--no-pictures") == 2
    assert f"--out ({name}) {bars} would overwrite the file of --bars; " in capsys.readouterr().err
    assert bars.read_bytes() == before


@NEEDS_LINKS
def test_files_that_do_not_exist_are_compared_by_their_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("new")
    assert is_same_file(Path("new"), tmp_path / "new")
    assert is_same_file(Path("new"), Path("link"))
    assert not is_same_file(Path("new"), Path("other"))
    with pytest.raises(ProgramError, match=r"^b new would overwrite the file of a; use another file$"):
        check_outputs({"b": Path("new"), "c": None}, {"a": Path("link"), "d": None})


def test_several_outputs_can_be_a_device():
    null = Path(os.devnull)
    check_outputs({"--events": null, "--picture": null}, {"--ticks": null})


@pytest.mark.parametrize(
    "arguments",
    [
        ("ticks", "--database", "."),
        ("ticks", "--picture", "."),
        ("collected", "."),
        ("collected", "ticks.sqlite", "--picture", ".."),
        ("run", str(FOLLOWER), "--events", "."),
    ],
    ids=" ".join,
)
def test_a_folder_in_the_place_of_a_file_is_one_clear_error(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = ended.code
    assert code in (2, 4)
    assert capsys.readouterr().err.endswith(" is a folder: give the name of a file\n")
    assert list(tmp_path.iterdir()) == []


def test_a_file_name_that_is_too_long_is_left_to_the_program_that_writes_the_file(tmp_path):
    check_outputs({"--log": tmp_path / ("long" * 100)}, {})


def test_an_output_whose_folder_takes_no_file_is_refused_before_the_work(tmp_path):
    check_folders({"--table": tmp_path / "t.csv", "--picture": None})
    assert not list(tmp_path.iterdir())
    with pytest.raises(OutputError, match=r"--table .*t\.csv cannot be written: ") as caught:
        check_folders({"--table": tmp_path / "no" / "t.csv"})
    assert caught.value.code == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ("ticks", "--picture"),
        ("sentiment", "--picture"),
        ("agents", "--table"),
        ("run", str(FOLLOWER), "--picture"),
        ("run", str(FOLLOWER), "--events"),
    ],
    ids=" ".join,
)
def test_each_program_checks_the_folder_of_its_output_before_its_work(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    option = arguments[-1]
    assert exit_code(*arguments, tmp_path / "no" / "file.png") == 4
    captured = capsys.readouterr()
    assert f"{option} {tmp_path / 'no' / 'file.png'} cannot be written: " in captured.err + captured.out


def test_collected_checks_the_folder_of_its_picture_before_its_work(database, tmp_path, capsys):
    assert exit_code("collected", database, "--picture", tmp_path / "no" / "ticks.png") == 4
    captured = capsys.readouterr()
    assert "cannot be written: " in captured.err
    assert "EURUSD" not in captured.out
