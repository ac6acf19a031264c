"""The command that makes a report: its options, what it says when something is missing, and a short run on Wine."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from demos.registry import PROGRAMS, SUBCOMMANDS
from tests.windows_facts.facts import collect
from tests.windows_report import __main__, form, making, pairs, suite, system
from tests.windows_report.__main__ import main
from tests.windows_report.resuming import CHECKOUT
from tests.windows_report.screen import Screen

RUN = CHECKOUT / "tests/wine/run"
NOT_BUILT = 125


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    return capsys.readouterr().err or str(raised.value)


def test_only_chooses_parts_and_names_in_them() -> None:
    assert making.selection([]) == {"tests": [], "scenarios": [], "facts": [], "pairs": []}
    words = ["pairs/ticks", "tests/api/test_udp.py", "tests/doctor", "scenarios"]
    assert making.selection(words) == {
        "tests": ["tests/api/test_udp.py", "tests/doctor"],
        "scenarios": [],
        "pairs": ["ticks"],
    }


def test_wrong_options_are_refused_before_anything_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(__main__.sys, "platform", "win32")
    assert "unknown part: 'test'; the parts are tests, scenarios" in error_of(capsys, "--only", "test")
    assert "unknown name in scenarios: 'x'" in error_of(capsys, "--only", "scenarios/x")
    assert "unknown name in facts: 'x'" in error_of(capsys, "--only", "facts/x")
    assert "no such file or folder of tests: tests/x" in error_of(capsys, "--only", "tests/x")
    assert "unknown pair: 'template'; the pairs are signal, ticks, tpl" in error_of(capsys, "--only", "pairs/template")
    assert "--processes 0: at least 1 is required" in error_of(capsys, "--processes", "0")
    assert "a file in an existing folder is required" in error_of(capsys, "--output", str(tmp_path))
    missing = str(tmp_path / "missing" / "report.json")
    assert "a file in an existing folder is required" in error_of(capsys, "--output", missing)


def test_a_report_is_made_on_windows_only(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(__main__.sys, "platform", "linux")
    assert "a report is made on Windows, and this is linux" in error_of(capsys)


def test_missing_packages_are_named_with_the_command_that_installs_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(__main__.sys, "platform", "win32")
    monkeypatch.setattr(system, "NEEDED", {"pytest": "pytest", "no_such_module": "hypothesis"})
    message = error_of(capsys, "--only", "tests")
    assert 'not installed: hypothesis; install them: py -m pip install -e ".[test]"' in message


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in (
        (["--help"], ["py -m tests.windows_report", "Attach the file to an issue", "merge FILE", "facts/queues"]),
        (["merge", "--help"], ["--try FOLDER", "git diff"]),
    ):
        with pytest.raises(SystemExit):
            main(arguments)
        shown = capsys.readouterr().out
        assert [word for word in words if word not in shown] == []


def test_the_commit_of_a_clone_and_of_a_worktree_is_read_without_git(tmp_path: Path) -> None:
    commit = "0123456789" * 4
    clone, worktree, archive = tmp_path / "clone", tmp_path / "worktree", tmp_path / "archive"
    for folder in (clone / ".git/refs/heads", clone / ".git/worktrees/w", worktree, archive):
        folder.mkdir(parents=True)
    (clone / ".git/HEAD").write_text("ref: refs/heads/main\n")
    (clone / ".git/packed-refs").write_text(f"# pack-refs\n{commit} refs/heads/main\n")
    assert system.commit(clone) == commit
    (clone / ".git/refs/heads/main").write_text(f"{commit[::-1]}\n")
    assert system.commit(clone) == commit[::-1]
    (worktree / ".git").write_text("gitdir: ../clone/.git/worktrees/w\n")
    (clone / ".git/worktrees/w/HEAD").write_text("ref: refs/heads/main\n")
    (clone / ".git/worktrees/w/commondir").write_text("../..\n")
    assert system.commit(worktree) == commit[::-1]
    (clone / ".git/worktrees/w/HEAD").write_text(f"{commit}\n")
    assert system.commit(worktree) == commit
    assert system.commit(archive) is None


def test_each_test_file_is_run_once_and_the_folder_with_the_most_files_first() -> None:
    found = suite.batches([])
    files = [file for batch in found for file in batch]
    assert sorted(files) == sorted(
        path.relative_to(CHECKOUT).as_posix() for path in CHECKOUT.glob("tests/**/test_*.py")
    )
    assert list(map(len, found)) == sorted(map(len, found), reverse=True)
    assert {len({file.rpartition("/")[0] for file in batch}) for batch in found} == {1}
    assert suite.batches(["tests/doctor", "tests/api/test_udp.py"]) == [["tests/doctor"], ["tests/api/test_udp.py"]]


def test_an_interrupted_part_keeps_its_results(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(job: str) -> dict[str, Any]:
        if job == "signal":
            raise KeyboardInterrupt
        return {"exit_code": 0, "seconds": 1.0, "summary": {}}

    monkeypatch.setattr(pairs, "run", interrupt)
    report = making.make({"pairs": [], "facts": []}, 1, Screen())
    assert report["parts"].keys() == {"pairs"}
    assert report["parts"]["pairs"]["problem"] == "interrupted by Ctrl-C"
    assert report["parts"]["pairs"]["jobs"].keys() == {"signal --study"}


def test_a_pair_that_does_not_end_in_time_is_ended() -> None:
    found = pairs.run("ticks", limit=2)
    assert found["exit_code"] is None
    assert "last_lines" in found


@pytest.mark.usefixtures("unstarted")
def test_tests_scenarios_and_facts_run_on_this_system_too() -> None:
    facts = [name for name, fact in collect().items() if not fact.wine and not fact.compat and not fact.needs][:1]
    chosen = {"tests": ["tests/doctor/test_prototypes.py"], "scenarios": ["binding"], "facts": facts}
    parts = making.make(chosen, 2, Screen())["parts"]
    assert [part["problem"] for part in parts.values()] == ["", "", ""]
    counts = parts["tests"]["counts"]["tests/doctor"]
    assert counts.keys() <= {"passed", "skipped"}
    assert "an_ipv6_address" in parts["scenarios"]["seen"]
    assert [result["outcome"] for result in parts["facts"]["results"].values()] == ["as on Windows"]


def test_the_pages_have_a_powershell_line_for_every_demo() -> None:
    pages = [CHECKOUT / "README.md", *(CHECKOUT / "notes").glob("*.md")]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    lines = {line.strip() for text in texts for line in text.splitlines() if line.startswith("    py -m ")}
    jobs = {name for name, command in SUBCOMMANDS.items() if command.module.endswith("job_command")}
    shown = {line.split()[3] for line in lines if line.startswith("py -m demos ")}
    assert jobs | {"provider", "run"} <= shown
    programs = {line.split()[4] for line in lines if line.startswith("py -m demos run ")}
    assert {"provider", "copier", "NAME"} <= programs <= {*PROGRAMS, "NAME"}
    assert {"py -m demos list", "py -m demos signal --study", "py -m winsock.doctor"} <= lines
    assert [line for line in lines if "&&" in line] == []  # PowerShell 5 does not know it


def on_wine(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [RUN, "python", "-m", "tests.windows_report", *arguments],
        capture_output=True, text=True, cwd=CHECKOUT, check=False,
    )  # fmt: skip


@pytest.mark.posix_only(reason="Wine itself is started from Linux")
def test_on_wine_a_report_is_made_and_refused_for_the_clone_and_merged_into_a_copy(tmp_path: Path) -> None:
    output, tree = tmp_path / "report.json", tmp_path / "tree"
    fact = next(name for name, fact in collect().items() if not fact.wine and not fact.needs)
    only = ["tests/doctor/test_prototypes.py", "scenarios/binding", f"facts/{fact}", "pairs/tpl"]
    made = on_wine("--only", *only, "--output", str(output))
    if made.returncode == NOT_BUILT:
        pytest.skip(made.stderr.strip())
    assert made.returncode == 0, made.stderr
    assert "This is Wine " in made.stdout
    assert "Attach this file to an issue" in made.stdout
    report = form.read(output)
    assert report["system"]["wine"]
    assert report["parts"].keys() == {*form.PARTS}
    assert [job["exit_code"] for job in report["parts"]["pairs"]["jobs"].values()] == [0, 0]
    assert str(CHECKOUT).replace("/", "\\\\") not in json.dumps(report)
    refused = on_wine("merge", str(output))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "the report was made on Wine" in refused.stderr
    merged = on_wine("merge", str(output), "--try", str(tree))
    assert merged.returncode == 0, merged.stderr
    assert "contradiction in an_ipv4_address_for_an_ipv6_socket: " in merged.stdout
    assert "| wine-" in (tree / "notes/differences.md").read_text(encoding="utf-8")
