"""The exercises of notes/exercises: their pages show real runs, the faults are in the traces, and the answers work."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from trace_kit import ROOT, python
from winsock_kit import bound, listener, port_of

from notes.exercises.run import EXERCISES, FIXED_PORTS, Exercise, Run, exchanged, report, run
from notes.exercises.update import page_file, updated
from winsock import closesocket

FOLDER = ROOT / "notes/exercises"
PAGES = [FOLDER / "README.md", *map(page_file, EXERCISES.values())]
NUMBERS = sorted(EXERCISES)

# What the broken program prints or calls, and what the answer does instead.
BROKEN = {
    1: ["! server  5 | socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = WSANOTINITIALISED", "server | start server ok"],
    2: ["connect(s2, 127.0.0.1:4640, 16) = WSAECONNREFUSED", "server | no client yet"],
    3: ["bind(s2, 127.0.0.1:PORT, 16) = WSAEADDRINUSE", "listen(s2, SOMAXCONN) = WSAEINVAL"],
    4: ["client | ... (this timer event does not end)\n  server | sent EURUSD|0.25\n  client | received"],
    5: ["client | connection lost: (#10035) WSAEWOULDBLOCK", "recv(s2, <512 bytes>, 512, 0) = WSAEWOULDBLOCK"],
    6: ['recvfrom(s1, "xxxxxxxxxxxxxxxx", 16, 0, NULL, NULL) = WSAEMSGSIZE', "server | the server ends"],
    7: ["client | no news\n  client | no news\n", 'recv(s2, "", 512, 0) = 0'],
    8: ["client | position: EURUSD|0.10\n", '"<<EURUSD|0.10>>\\0<<EURUSD|0.25>>\\0", 512, 0) = 32'],
    9: ["client | the template is complete: False"],
    10: ["client | wrong message: <<EURUSD|0.\n", "client | wrong message: 25>>\n"],
}
ANSWER = {
    1: ["listen(s1, SOMAXCONN) = 0"],
    2: ["connect(s2, 127.0.0.1:8210, 16) = 0", "server | a client has connected"],
    3: ["bind(s2, 127.0.0.1:PORT, 16) = 0", "listen(s2, SOMAXCONN) = 0"],
    4: ["client | no news\n  server | sent EURUSD|0.25\n  client | timer event 2", "client | received <<EURUSD|0.25>>"],
    5: ["client | no news\n", "client | received <<EURUSD|0.25>>"],
    6: ["server | ignored: a datagram of more than 16 bytes\n  server | tick: EURUSD 1.10003\n"],
    7: ["client | received <<EURUSD|0.25>>\n  client | the server has closed the connection\n"],
    8: ["client | position: EURUSD|0.10\n  client | position: EURUSD|0.25\n"],
    9: ["client | the template is complete: True", "server | template sent"],
    10: ["client | position: EURUSD|0.25\n"],
}


def shown(number: int, result: Run, answer: bool = False) -> str:
    """The report with the ports of the pages, and without what depends on the run."""
    text = report(number, result, answer)
    if number == 1:
        # Wine checks the socket before the start: notes/differences.md.
        text = text.replace("WSAENOTSOCK", "WSANOTINITIALISED")
    if EXERCISES[number].fixed_port:
        text = text.replace(str(result.port), "8210").replace(str(exchanged(result.port)), "4640")
    return without_blocks(text)


def without_blocks(text: str) -> str:
    """The report without the data and the results of large sends: how much fits depends on the system."""
    return re.sub(r"(send\(s3), .*, (4000000, 0\)) = \w+$", r"\1, \2", text, flags=re.MULTILINE)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_trace_of_the_broken_program_shows_its_fault(number: int) -> None:
    text = shown(number, run(EXERCISES[number]))
    for part in BROKEN[number]:
        assert part in text
    assert f"```text\n$ python notes/exercises/run.py {number}\n{text}```\n" in without_blocks(page(number))


@pytest.mark.parametrize("number", NUMBERS)
def test_the_answer_works(number: int) -> None:
    exercise = EXERCISES[number]
    text = shown(number, run(exercise, answer=True), answer=True)
    for part in ANSWER[number]:
        assert part in text
    if number != 6:
        assert not re.search("^!", text, re.MULTILINE)
    if not exercise.shown:
        assert f"```text\n$ python notes/exercises/run.py {number} --answer\n{text}```\n" in page(number)


def test_the_broken_program_of_the_ninth_exercise_loses_a_part_of_a_block() -> None:
    text = report(9, run(EXERCISES[9]))
    results = re.findall(r"send\(s3, .*, 4000000, 0\) = (\w+)$", text, re.MULTILINE)
    assert len(results) == 4
    assert any(result == "WSAEWOULDBLOCK" or int(result) < 4_000_000 for result in results)


def page(number: int) -> str:
    return page_file(EXERCISES[number]).read_text(encoding="utf-8")


@pytest.mark.parametrize("number", NUMBERS)
def test_a_page_contains_its_programs(number: int) -> None:
    text = page(number)
    folder = FOLDER / EXERCISES[number].folder
    programs = dict(re.findall(r'<!-- file: (\S+) -->\n```python linenums="1"\n(.*?)```', text, re.DOTALL))
    assert programs.keys() == {file.name for file in folder.glob("*.py")}
    for name, program in programs.items():
        assert program == (folder / name).read_text(encoding="utf-8"), name


@pytest.mark.parametrize("number", NUMBERS)
def test_the_lines_that_a_page_names_contain_the_call(number: int) -> None:
    exercise = EXERCISES[number]
    lines = exercise.files(answer=False)[exercise.broken].read_text(encoding="utf-8").splitlines()
    for call, line in re.findall(r"`(\w+)`\s+in\s+line\s+(\d+)", page(number)):
        assert f"{call}(" in lines[int(line) - 1]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_page_has_a_story_a_question_hints_an_answer_and_references(number: int) -> None:
    text = page(number)
    assert text.startswith(f"# Exercise {number}: {EXERCISES[number].title}\n\n")
    order = ["The broken program", "Run it, and see it in the trace", "The question", "The answer"]
    assert re.findall("^## (.*)$", text, re.MULTILINE) == [*order, "Where to read about it", "To go on"]
    assert text.count("<summary>Hint") >= 2
    assert text.count('<details markdown="1">') == text.count("</details>")
    assert "- The article, " in text


def test_the_list_has_every_exercise_in_order() -> None:
    rows = re.findall(r"^\| (\d+) \| \[(.*?)\]\((.*?)\.md\) \|", PAGES[0].read_text("utf-8"), re.MULTILINE)
    assert rows == [(str(number), exercise.title, exercise.folder) for number, exercise in EXERCISES.items()]
    assert len(EXERCISES) == 10


def test_every_folder_belongs_to_an_exercise_and_has_no_other_programs() -> None:
    used = {file for exercise in EXERCISES.values() for answer in (False, True) for file in files(exercise, answer)}
    assert used == set(FOLDER.glob("*/*.py"))


def files(exercise: Exercise, answer: bool) -> list[Path]:
    return list(exercise.files(answer).values())


def test_every_defect_that_the_exercises_name_is_a_link_to_the_errata() -> None:
    for path in PAGES:
        text = re.sub(r"\[([A-Z]\d+)\]\(\.\./errata\.md#([a-z]\d+)\)", same_defect, path.read_text(encoding="utf-8"))
        assert re.findall(r"\b[STUHA]\d{1,2}\b", text) == [], path


def same_defect(link: re.Match[str]) -> str:
    assert link[1].lower() == link[2]
    return ""


def test_the_commands_of_the_doctor_in_the_hints_work() -> None:
    found = {
        words for path in PAGES for words in re.findall(r"`python -m (winsock\.doctor[^`]*)`", path.read_text("utf-8"))
    }
    assert len(found) >= 3
    for words in found:
        assert python("-m", *words.split(), cwd=ROOT).returncode in (0, 1), words


def test_a_new_run_changes_nothing_in_a_page() -> None:
    assert updated(8, page(8)) == page(8)


def test_a_page_without_a_block_is_reported() -> None:
    with pytest.raises(RuntimeError, match=r"one block <!-- run: broken --> of kind text, not 0"):
        updated(1, page(1).replace("<!-- run: broken -->", ""))


def test_the_runner_writes_the_report_and_a_page(tmp_path: Path) -> None:
    target = tmp_path / "talk.html"
    done = runner("7", "--answer", "--page", str(target))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Exercise 7: The end that nobody notices\n")
    assert done.stdout.endswith(f"\nThe page is in {target}\n")
    assert "The end that nobody notices" in target.read_text(encoding="utf-8")


def test_the_runner_lists_the_exercises_and_reports_an_unknown_one() -> None:
    listed = runner()
    assert listed.returncode == 0
    assert all(f"{number:2}  {exercise.title}\n" in listed.stdout for number, exercise in EXERCISES.items())
    refused = runner("11")
    assert refused.returncode == 2
    assert "11" in refused.stderr


def test_the_runner_reports_a_page_that_cannot_be_written(tmp_path: Path) -> None:
    done = runner("1", "--page", str(tmp_path / "missing" / "talk.html"))
    assert done.returncode == 2
    assert "talk.html: cannot be written: " in done.stderr


def runner(*arguments: str) -> subprocess.CompletedProcess[str]:
    return python("-X", "utf8", str(FOLDER / "run.py"), *arguments, cwd=ROOT)


def test_a_program_that_still_runs_after_its_turns_is_reported() -> None:
    with pytest.raises(RuntimeError, match="07_end_of_stream: still running after the last turn: client"):
        run(EXERCISES[7]._replace(turns="client server"))


@pytest.mark.usefixtures("started")
def test_the_second_exercise_uses_the_next_port_if_its_port_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    used, other = port_of(listener()), bound()
    free = port_of(other)
    assert closesocket(other) == 0
    monkeypatch.setattr("notes.exercises.run.FIXED_PORTS", [used, free])
    assert run(EXERCISES[2], answer=True).port == free
    monkeypatch.setattr("notes.exercises.run.FIXED_PORTS", [used])
    with pytest.raises(RuntimeError, match=f"other programs use the ports {used} to {used}: end one of them"):
        run(EXERCISES[2])


def test_the_ports_of_the_second_exercise_are_not_assigned_by_a_system() -> None:
    assert all(port < 32768 and exchanged(port) < 32768 for port in FIXED_PORTS)
    assert exchanged(8210) == 4640
    assert exchanged(exchanged(8211)) == 8211


def test_a_run_needs_no_terminal_and_leaves_no_file(tmp_path: Path) -> None:
    python(str(FOLDER / "run.py"), "1", cwd=tmp_path, check=True)
    assert list(tmp_path.iterdir()) == []
