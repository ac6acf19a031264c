"""The exercises of notes/exercises: their pages show real runs, the faults are in the traces, and the answers work."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from trace_kit import ROOT, python
from trace_story import Story
from winsock_kit import bound, listener, port_of

import notes.exercises.run as command_line
from notes.exercises.program import Program
from notes.exercises.report import comparison, report
from notes.exercises.stage import MORE_ROUNDS, Run, run
from notes.exercises.table import EXERCISES, FIXED_PORTS, Exercise, exchanged, is_changed
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


def test_the_lines_that_the_pages_name_contain_the_call() -> None:
    named = []
    for number, exercise in EXERCISES.items():
        lines = exercise.files(answer=False)[exercise.broken].read_text(encoding="utf-8").splitlines()
        for call, line in re.findall(r"`(\w+)`\s+in\s+line\s+(\d+)", page(number)):
            named.append(number)
            assert f"{call}(" in lines[int(line) - 1]
    assert len(named) >= 3


@pytest.mark.parametrize("number", NUMBERS)
def test_a_page_has_a_story_a_question_hints_an_answer_and_references(number: int) -> None:
    text = page(number)
    assert text.startswith(f"# Exercise {number}: {EXERCISES[number].title}\n\n")
    order = ["The broken program", "Run it, and see it in the trace", "The question", "The answer"]
    assert re.findall("^## (.*)$", text, re.MULTILINE) == [*order, "Where to read about it", "To go on"]
    assert text.count("<summary>Hint") >= 2
    assert text.count('<details markdown="1">') == text.count("</details>")
    assert "- The article, " in text


@pytest.mark.parametrize("number", NUMBERS)
def test_a_question_asks_for_a_line_that_only_the_answer_prints(number: int) -> None:
    # Otherwise a solution without this line would differ from the answer.
    texts = [set(re.findall(r'print\("([^"]*)', text)) for text in (broken_text(number), answer_text(number))]
    question = page(number).partition("\n## The question\n")[2].partition("<details")[0]
    assert bool(texts[1] - texts[0]) == ("prints a line" in " ".join(question.split()))


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


@pytest.mark.posix_only(reason="only Linux has /dev/full")
def test_the_runner_reports_a_page_that_cannot_be_written() -> None:
    done = runner("1", "--page", "/dev/full")
    assert done.returncode == 2
    assert "/dev/full: cannot be written: " in done.stderr


def runner(*arguments: str) -> subprocess.CompletedProcess[str]:
    return python("-X", "utf8", str(FOLDER / "run.py"), *arguments, cwd=ROOT)


def broken_text(number: int) -> str:
    exercise = EXERCISES[number]
    return exercise.files(answer=False)[exercise.broken].read_text(encoding="utf-8")


def answer_text(number: int) -> str:
    exercise = EXERCISES[number]
    return exercise.files(answer=True)[exercise.broken].read_text(encoding="utf-8")


def change(number: int, text: str | bytes | None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Exercise:
    """Replace the broken program of an exercise by a reader's program, or remove it, in a copy of the exercises."""
    exercise = EXERCISES[number]
    shutil.copytree(FOLDER / exercise.folder, folder / exercise.folder)
    shutil.copy(page_file(exercise), folder)
    monkeypatch.setattr("notes.exercises.table.FOLDER", folder)
    program = exercise.files(answer=False)[exercise.broken]
    program.unlink()
    if text is not None:
        program.write_bytes(text.encode() if isinstance(text, str) else text)
    return exercise


def printed_by(result: Run, name: str) -> list[str]:
    return [line.text for line in result.printed if line.program == name]


@pytest.mark.parametrize("number", NUMBERS)
def test_the_answer_in_the_broken_file_works_with_the_same_command(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exercise = change(number, answer_text(number), tmp_path, monkeypatch)
    changed, answer = run(exercise), run(exercise, answer=True)
    assert changed.problem == ""
    assert comparison(exercise, changed, answer).startswith("Your program does the same as the answer in this run: ")
    for part in ANSWER[number]:
        assert part in shown(number, changed)


def test_a_blocking_event_is_reported_only_if_it_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert any(line.text.startswith("... (") for line in run(EXERCISES[4]).printed)
    result = run(change(4, answer_text(4), tmp_path, monkeypatch))
    assert not any(line.text.startswith("... (") for line in result.printed)
    assert result.printed[-1] == ("server", 3, "stop server")
    assert "= WSAEWOULDBLOCK" in report(4, result)


# Without this wait a system may discard what the client has not read yet.
UNTIL_THE_END = """check(shutdown(client, SD_SEND))
check(ioctlsocket(client, FIONBIO, u_long(0)))
check(recv(client, bytearray(1), 1, 0))
"""
AT_THE_NEXT_EVENT = """
unsent = memoryview(template)
while unsent:
    count = send(client, unsent, len(unsent), 0)
    if count >= 0:
        unsent = unsent[count:]
    elif WSAGetLastError() == WSAEWOULDBLOCK:
        input("timer> ")
    else:
        check(count)
print("template sent")
"""


def test_the_ninth_exercise_may_be_solved_with_more_timer_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = re.sub(r"for begin in .*?sent\"\)\n", lambda _: AT_THE_NEXT_EVENT, broken_text(9), flags=re.DOTALL)
    text = text.replace("check(shutdown(client, SD_SEND))\n", UNTIL_THE_END)
    exercise = change(9, text, tmp_path, monkeypatch)
    result = run(exercise)
    assert result.problem == ""
    assert printed_by(result, "client")[-1] == "the template is complete: True"
    assert "does the same as the answer" in comparison(exercise, result, run(exercise, answer=True))


def test_the_ninth_exercise_may_be_solved_with_a_blocking_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = broken_text(9).replace("check(ioctlsocket(client, FIONBIO, u_long(1)))\n", "")
    text = text.replace("check(shutdown(client, SD_SEND))\n", UNTIL_THE_END)
    result = run(change(9, text, tmp_path, monkeypatch))
    assert result.problem == ""
    assert printed_by(result, "client")[-1] == "the template is complete: True"


BROKEN_BY_A_READER = [
    ("SyntaxError: ", lambda text: text.replace("check(connect(client, name, 16))", "check(connect(client, name, 16)")),
    ("ModuleNotFoundError: ", lambda text: text.replace("import sys", "import syss")),
    ("NameError: ", lambda text: text.replace("buf[:count]", "buff[:count]")),
    ("SyntaxError: Non-UTF-8 code", lambda text: f"# café\n{text}".encode("cp1252")),
    ("No such file or directory", lambda text: None),
]


@pytest.mark.parametrize(
    ("message", "edit"), BROKEN_BY_A_READER, ids=["syntax", "import", "in an event", "code page", "missing file"]
)
def test_the_run_ends_with_a_program_that_has_an_error_of_python(
    message: str, edit: Callable[[str], str | bytes | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(change(8, edit(broken_text(8)), tmp_path, monkeypatch))
    assert re.fullmatch(r"broken_client\.py ended with (an error|the exit code 2)", result.problem)
    assert result.printed[-1].program == "client"
    assert message in result.printed[-1].text


def test_a_client_that_blocks_before_its_first_event_gets_the_data_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = broken_text(8).replace("check(ioctlsocket(client, FIONBIO, u_long(1)))\n", "")
    result = run(change(8, text.replace('    input("timer> ")\n', ""), tmp_path, monkeypatch))
    assert result.problem == ""
    assert printed_by(result, "client")[:3] == ["connected", "... (its start does not end)", "position: EURUSD|0.10"]


def test_a_turn_of_a_program_that_has_just_ended_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text('print("timer> ", end="")', encoding="utf-8")
    program = Program("server", file, [], tmp_path / "trace.jsonl")
    try:
        assert program.start() == []
        assert [*program.turn(60.0), *program.turn(60.0)] == []
        assert program.ended
        assert program.problem == ""
    finally:
        program.close()


ENDLESS = [
    ('while True:\n    input("timer> ")\n', f"client did not end after {MORE_ROUNDS} more timer events"),
    ('while True:\n    print("hello")\n', "client prints without end"),
    (
        "while True:\n    recv(client, bytearray(1), 1, 0)\n",
        "client has a loop that calls winsock without end",
    ),
    (
        'input("another text")\n',
        "client did not end: a call waits for ever, a loop has no end, or an input() has another text than"
        ' "timer> "; server has ended',
    ),
]


@pytest.mark.parametrize(("end", "problem"), ENDLESS, ids=["events", "output", "calls", "wait"])
def test_an_endless_program_is_ended_and_its_calls_are_shown(
    end: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = broken_text(8).partition("buf = ")[0] + end
    result = run(change(8, text, tmp_path, monkeypatch))
    assert result.problem == problem
    text = report(8, result)
    assert "connect(s2, 127.0.0.1:PORT, 16) = 0" in text
    assert text.count("\n") < 300


def test_a_program_that_waits_for_a_program_that_has_ended_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(change(8, "from winsock import *\nWSAStartup(MAKEWORD(2, 2), WSADATA())\n", tmp_path, monkeypatch))
    assert result.problem.startswith("server did not end: ")
    assert result.problem.endswith("; client has ended")
    assert "server 24 | accept(s1) has not returned\n" in report(8, result)


def test_a_server_without_a_port_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = broken_text(9).replace('"127.0.0.1"', '"203.0.113.1"')
    result = run(change(9, text, tmp_path, monkeypatch))
    assert result.problem == "server has not printed its port, for example 'port 40123'"
    assert "! server 18 | bind(" in report(9, result)


def test_a_program_that_calls_nothing_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(change(1, "print('hello')\n", tmp_path, monkeypatch))
    assert result.problem == "no program has called winsock"
    assert report(1, result).endswith("(! failed):\n  none\n")


def test_a_socket_with_the_number_of_a_closed_one_has_another_name() -> None:
    story = Story("server")
    for _ in range(3):
        story.call(0, "socket", 40, af="AF_INET", type="SOCK_STREAM", protocol=0)
        story.call(0, "closesocket", s=40)
    assert re.findall(r"= (s\d)$", report(1, Run([], story.draw(), 0)), re.MULTILINE) == ["s1", "s2", "s3"]


def compared(number: int, text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    exercise = change(number, text, folder, monkeypatch)
    return comparison(exercise, run(exercise), run(exercise, answer=True))


def test_a_buffer_of_the_size_of_a_message_is_not_the_same_as_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = compared(8, broken_text(8).replace("512", "16").replace("range(2)", "range(3)"), tmp_path, monkeypatch)
    assert "- client, timer event 1 | position: EURUSD|0.25\n+ client, timer event 2 | position: EURUSD|0.25\n" in text


def test_other_words_are_shown_as_a_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = compared(5, answer_text(5).replace("no news", "nothing yet"), tmp_path, monkeypatch)
    assert "- client, timer event 1 | no news\n+ client, timer event 1 | nothing yet\nOther words are no fault." in text


@pytest.mark.parametrize("number", [1, 3])
def test_a_program_with_the_lines_of_the_answer_but_failed_calls_is_not_the_same(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = compared(number, broken_text(number) + "# changed\n", tmp_path, monkeypatch)
    assert text.startswith("These calls fail in your run, but not in the answer's run:\n! server | ")
    assert "! server | listen: WSA" in text


@pytest.mark.parametrize("number", NUMBERS)
def test_only_a_changed_program_is_compared(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_changed(EXERCISES[number])
    assert is_changed(change(number, broken_text(number) + "\n", tmp_path, monkeypatch))


def test_the_command_compares_a_changed_program_with_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    change(7, answer_text(7), tmp_path, monkeypatch)
    monkeypatch.setattr("sys.argv", ["run.py", "7"])
    assert command_line.command() == 0
    assert capsys.readouterr().out.endswith("the same lines, and no other failed call.\n")


def test_the_command_reports_a_problem_below_the_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    change(1, "from winsock import *\nsocket(\n", tmp_path, monkeypatch)
    monkeypatch.setattr("sys.argv", ["run.py", "1"])
    with pytest.raises(SystemExit) as caught:
        command_line.command()
    assert caught.value.code == 1
    output = capsys.readouterr()
    assert "  server | SyntaxError: " in output.out
    assert output.err.endswith(": error: broken_server.py ended with an error\n")


def test_ctrl_c_ends_the_command_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> Run:
        raise KeyboardInterrupt

    monkeypatch.setattr("notes.exercises.run.run", interrupted)
    monkeypatch.setattr("sys.argv", ["run.py", "7"])
    assert command_line.command() == 130
    assert capsys.readouterr().err == "run.py: interrupted\n"


@pytest.mark.parametrize(
    ("page_name", "problem"),
    [
        (str(FOLDER / "01_startup" / "broken_server.py"), "the page would replace a file of the exercises"),
        (str(FOLDER), "a folder; name a file"),
        (str(FOLDER / "no" / "page.html"), "no such folder"),
    ],
)
def test_a_page_that_cannot_be_written_is_refused_before_the_run(
    page_name: str, problem: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("notes.exercises.run.run", None)
    monkeypatch.setattr("sys.argv", ["run.py", "1", "--page", page_name])
    with pytest.raises(SystemExit) as caught:
        command_line.command()
    assert caught.value.code == 2
    assert problem in capsys.readouterr().err


def test_the_pages_are_not_updated_with_a_run_that_was_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(1, "from winsock import *\nsocket(\n", tmp_path, monkeypatch)
    with pytest.raises(RuntimeError, match=r"^01_startup: broken_server\.py ended with an error$"):
        updated(1, page(1))


@pytest.mark.usefixtures("started")
def test_the_second_exercise_uses_the_next_port_if_its_port_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    used, other = port_of(listener()), bound()
    free = port_of(other)
    assert closesocket(other) == 0
    monkeypatch.setattr("notes.exercises.stage.FIXED_PORTS", [used, free])
    assert run(EXERCISES[2], answer=True).port == free
    monkeypatch.setattr("notes.exercises.stage.FIXED_PORTS", [used])
    with pytest.raises(RuntimeError, match=f"other programs use the ports {used} to {used}: end one of them"):
        run(EXERCISES[2])


def test_the_ports_of_the_second_exercise_are_not_assigned_by_a_system() -> None:
    assert all(port < 32768 and exchanged(port) < 32768 for port in FIXED_PORTS)
    assert exchanged(8210) == 4640
    assert exchanged(exchanged(8211)) == 8211


def test_a_run_needs_no_terminal_and_leaves_no_file(tmp_path: Path) -> None:
    python(str(FOLDER / "run.py"), "1", cwd=tmp_path, check=True)
    assert list(tmp_path.iterdir()) == []
