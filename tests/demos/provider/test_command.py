"""``python -m demos provider``: what a user types, sees and gets back."""

from __future__ import annotations

import errno
import getpass
import io
import json
import os
import re
import stat
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from login_kit import HOME, NOW, PASSWORD, WRONG, code, count_hashes, fail, log_in, opened
from terminal_kit import ROOT, demos

from demos.__main__ import main
from demos.provider import user_actions, user_options
from demos.provider.passwords import SHORTEST_PASSWORD
from demos.provider.rights import MAX_SYMBOLS, Rights
from demos.provider.users import UserStore

TOKEN = re.compile(r"wst_[\w-]{43}\n")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cheap hash, a fixed clock, and the default file in an empty folder."""
    count_hashes(monkeypatch)
    monkeypatch.setattr(user_actions, "wall_clock", lambda: NOW)
    monkeypatch.setattr(user_options, "wall_clock", lambda: NOW)
    monkeypatch.chdir(tmp_path)


class Lines:
    """Standard input with these bytes."""

    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Runs the command, with these bytes as standard input; returns the exit code, the output and the errors."""

    def command(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", Lines(stdin))
        try:
            result = main(["provider", *arguments])
        except SystemExit as error:
            result = int(error.code or 0)
        captured = capsys.readouterr()
        return result, captured.out, captured.err

    return command


@pytest.fixture
def anna(run) -> None:
    assert run("user", "add", "anna", "--stdin", stdin=PASSWORD.encode() + b"\n")[0] == 0


def users() -> UserStore:
    return opened(Path("provider.sqlite")).users


def error_of(result: tuple[int, str, str], expected: int = 2) -> str:
    """The text of the one line of a refused command."""
    assert (result[0], result[1]) == (expected, "")
    match = re.fullmatch(r"python -m demos provider: error: (.+)\n", result[2])
    assert match, result[2]
    return match[1]


# ---- passwords


def test_add_reads_the_password_from_one_line_and_creates_the_file(run):
    result = run("user", "add", "Anna", "--stdin", stdin=PASSWORD.encode() + b"\nmore\n")
    assert result == (0, "added anna\n", "created provider.sqlite\n")
    provider = opened(Path("provider.sqlite"))
    assert code(log_in(provider, "anna", NOW)) == "granted"


def test_a_line_end_of_windows_and_no_line_end_belong_to_no_password(run):
    for login, end in (("anna", b"\r\n"), ("bob", b"")):
        assert run("user", "add", login, "--stdin", stdin=PASSWORD.encode() + end)[0] == 0
        assert code(log_in(opened(Path("provider.sqlite")), login, NOW)) == "granted"


@pytest.mark.parametrize(
    ("stdin", "problem"),
    [
        (b"", "standard input is empty: it must have one line, the password"),
        (b"\n", f"the password is too short: it has 0 characters, at least {SHORTEST_PASSWORD} are needed"),
        (b"x" * 257 + b"\n", "the password is too long: at most 256 bytes of UTF-8 are possible"),
        (b"x" * 10_000_000, "the password is too long: at most 256 bytes of UTF-8 are possible"),
        (b"\xff" * 12 + b"\n", "the password on standard input is not UTF-8"),
        (b"ten chars\0!\n", "the password contains a control character: use only characters that can be typed"),
    ],
)
def test_a_password_that_cannot_be_used_is_one_clear_error(run, anna, stdin, problem):
    assert error_of(run("user", "add", "bob", "--stdin", stdin=stdin)) == problem
    assert error_of(run("user", "passwd", "anna", "--stdin", stdin=stdin)) == problem
    assert users().find("bob") is None
    assert code(log_in(opened(Path("provider.sqlite")), "anna", NOW)) == "granted"


def test_the_longest_password_is_accepted_from_standard_input(run):
    assert run("user", "add", "anna", "--stdin", stdin=b"x" * 256 + b"\r\n")[0] == 0


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[str]]:
    """What a user types at the terminal, and the prompts that were shown."""
    answers: list[str] = []
    prompts: list[str] = []

    def prompt(text: str) -> str:
        prompts.append(text)
        return answers.pop(0)

    monkeypatch.setattr(getpass, "getpass", prompt)
    return answers, prompts


def test_the_password_is_asked_for_twice_at_the_terminal(run, typed):
    answers, prompts = typed
    answers += [PASSWORD, PASSWORD]
    assert run("user", "add", "anna")[:2] == (0, "added anna\n")
    assert prompts == ["New password for anna: ", "Repeat the password: "]
    answers += ["another password", "another password"]
    assert run("user", "passwd", "anna")[0] == 0
    provider = opened(Path("provider.sqlite"))
    assert code(log_in(provider, "anna", NOW, password="another password")) == "granted"


def test_two_different_passwords_change_nothing(run, anna, typed):
    typed[0].extend(["another password", "another passwrod"])
    assert error_of(run("user", "passwd", "anna")) == "the two passwords are not equal: nothing was changed"
    assert code(log_in(opened(Path("provider.sqlite")), "anna", NOW)) == "granted"


def test_a_password_that_is_too_short_is_not_asked_for_again(run, anna, typed):
    typed[0].append("short")
    assert "too short: it has 5 characters" in error_of(run("user", "add", "bob"))
    assert typed[1] == ["New password for bob: "]


def test_an_unknown_or_existing_login_is_an_error_before_a_password_is_asked_for(run, anna, typed):
    assert error_of(run("user", "add", "anna")) == "the login exists already: anna"
    assert "no such login: 'bob'" in error_of(run("user", "passwd", "bob"))
    assert typed[1] == []


def test_without_a_terminal_the_password_is_not_read_from_standard_input(run, anna, monkeypatch):
    def without_terminal(text: str) -> str:
        warnings.warn("no terminal", getpass.GetPassWarning, stacklevel=2)
        return PASSWORD

    monkeypatch.setattr(getpass, "getpass", without_terminal)
    problem = error_of(run("user", "passwd", "anna"))
    assert problem == "there is no terminal to ask for the password at: use --stdin"


@pytest.mark.parametrize(
    ("error", "expected"), [(EOFError, 2), (KeyboardInterrupt, 130)], ids=["end of input", "Ctrl-C"]
)
def test_a_prompt_that_is_ended_changes_nothing_and_prints_one_line(run, anna, monkeypatch, error, expected):
    def ended(text: str) -> str:
        raise error

    monkeypatch.setattr(getpass, "getpass", ended)
    result = run("user", "passwd", "anna")
    assert result[:2] == (expected, "")
    assert "Traceback" not in result[2]
    assert code(log_in(opened(Path("provider.sqlite")), "anna", NOW)) == "granted"


def test_a_password_is_never_an_argument(run):
    for arguments in (("user", "add", "anna", PASSWORD), ("user", "add", "anna", "--password", PASSWORD)):
        result = run(*arguments)
        assert result[0] == 2
        assert result[2].startswith("usage: python -m demos provider user add ")
        assert re.search(r"error: unrecognized arguments: [12], not shown: one may be a password\n$", result[2])
        assert PASSWORD not in result[2]
    assert not Path("provider.sqlite").exists()


@pytest.mark.parametrize("stdin", [b"short\n", b"", b"\xff" * 12])
def test_a_refused_password_of_the_first_user_creates_no_file(run, stdin):
    error_of(run("user", "add", "anna", "--stdin", stdin=stdin))
    assert list(Path().iterdir()) == []


def test_refused_rights_of_the_first_user_create_no_file(run):
    symbols = [word for number in range(MAX_SYMBOLS + 1) for word in ("--symbol", f"S{number}")]
    assert "symbols" in error_of(run("user", "add", "anna", "--stdin", *symbols, stdin=PASSWORD.encode()))
    assert list(Path().iterdir()) == []


# ---- rights


def test_add_takes_symbols_connections_and_expiry(run):
    options = ("--symbol", "GBPUSD", "--symbol", "EURUSD", "--connections", "3", "--expires", "90d")
    assert run("user", "add", "anna", "--stdin", *options, stdin=PASSWORD.encode())[0] == 0
    assert users().get("anna").rights == Rights(("EURUSD", "GBPUSD"), 3, NOW + 90 * 86_400)


def test_set_changes_only_the_rights_that_are_given(run, anna):
    assert run("user", "set", "anna", "--symbol", "EURUSD")[0] == 0
    assert run("user", "set", "anna", "--connections", "2")[0] == 0
    assert run("user", "set", "anna", "--expires", "2030-01-31T18:00")[0] == 0
    assert users().get("anna").rights == Rights(("EURUSD",), 2, 1_896_112_800)
    assert run("user", "set", "anna", "--all-symbols", "--expires", "never")[0] == 0
    assert users().get("anna").rights == Rights(None, 2, None)
    assert "nothing to set" in error_of(run("user", "set", "anna"))


def test_add_and_set_make_an_operator_and_a_subscriber(run, anna):
    assert run("user", "add", "olga", "--stdin", "--operator", stdin=PASSWORD.encode())[0] == 0
    assert users().get("olga").rights == Rights(operator=True)
    assert not users().get("anna").rights.operator
    assert run("user", "set", "anna", "--operator")[0] == 0
    assert run("user", "set", "anna", "--connections", "2")[0] == 0
    assert users().get("anna").rights == Rights(connections=2, operator=True)
    assert run("user", "set", "anna", "--no-operator")[0] == 0
    assert users().get("anna").rights == Rights(connections=2)
    assert "not allowed with argument" in run("user", "set", "anna", "--operator", "--no-operator")[2]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--expires", "tomorrow"), "'tomorrow' is not never, DAYSd, YYYY-MM-DD or YYYY-MM-DDTHH:MM (UTC)"),
        (("--expires", "2030-02-30"), "'2030-02-30' is not never"),
        (("--expires", "20300101"), "'20300101' is not never"),
        (("--expires", "2001-01-01"), "2001-01-01 is in the past"),
        (("--expires", "0d"), "0d ends the login at once: use `disable` for that"),
        (("--expires", "00000d"), "00000d ends the login at once"),
        (("--connections", "0"), "'0' is not a whole number from 1 to 1000"),
        (("--symbol", "EUR|USD"), "cannot contain '|'"),
        (("--symbol", ""), "a symbol's name is empty"),
    ],
)
def test_an_invalid_right_is_a_clear_error(run, anna, arguments, problem):
    result = run("user", "set", "anna", *arguments)
    assert result[:2] == (2, "")
    assert problem in result[2].splitlines()[-1]


@pytest.mark.parametrize("login", ["an na", "", "x\x1b[2J"])
def test_an_invalid_login_is_a_clear_error_without_control_characters(run, login):
    result = run("user", "add", login, "--stdin")
    assert result[0] == 2
    assert "is not a login: 1 to 64 letters" in result[2]
    assert "\x1b" not in result[2]


def test_disable_enable_and_remove(run, anna):
    assert run("user", "disable", "anna") == (0, "disabled anna; a running provider disconnects it\n", "")
    assert users().get("anna").disabled
    assert run("user", "enable", "anna") == (0, "enabled anna\n", "")
    assert not users().get("anna").disabled
    assert run("user", "remove", "anna") == (0, "removed anna; a running provider disconnects it\n", "")
    assert users().all() == []
    for action in ("disable", "enable", "remove"):
        assert "no such login: 'anna'" in error_of(run("user", action, "anna"))


# ---- lists


def test_list_shows_a_table(run, anna):
    symbols = [part for name in ("A", "B", "C", "D", "E") for part in ("--symbol", name)]
    run("user", "add", "bob@x.com", "--stdin", "--expires", "2030-01-31", *symbols, stdin=PASSWORD.encode())
    run("user", "disable", "bob@x.com")
    run("user", "add", "olga", "--stdin", "--operator", stdin=PASSWORD.encode())
    run("user", "token", "add", "anna", "copier-1")
    assert run("user", "list")[1].splitlines() == [
        "login      role        state     connections  expires               tokens  symbols",
        "anna       subscriber  active    1            never                 1       all",
        "bob@x.com  subscriber  disabled  1            2030-01-31 00:00 UTC  0       A, B, C and 2 more",
        "olga       operator    active    1            never                 0       all",
    ]


def test_list_prints_json(run, anna):
    run("user", "set", "anna", "--symbol", "EURUSD", "--expires", "2030-01-31")
    run("user", "token", "add", "anna", "copier-1")
    result = run("user", "list", "--json")
    assert json.loads(result[1]) == [
        {
            "login": "anna",
            "state": "active",
            "operator": False,
            "publish": [],
            "topics": None,
            "connections": 1,
            "symbols": ["EURUSD"],
            "expires": "2030-01-31T00:00:00Z",
            "created": "2027-01-15T08:00:00Z",
            "tokens": ["copier-1"],
        }
    ]
    assert "scrypt" not in result[1]


def test_an_empty_list_says_what_to_do(run, anna):
    run("user", "remove", "anna")
    assert run("user", "list")[1] == "no users: `python -m demos provider user add LOGIN` adds one\n"
    assert run("user", "list", "--json")[1] == "[]\n"
    assert run("bans")[1] == "no bans\n"
    assert run("bans", "--json")[1] == "[]\n"


# ---- tokens


def test_a_token_is_the_only_text_on_standard_output_and_logs_in(run, anna):
    result = run("user", "token", "add", "anna", "copier-1")
    assert result[0] == 0
    assert TOKEN.fullmatch(result[1])
    assert "not shown again" in result[2]
    assert code(log_in(opened(Path("provider.sqlite")), "anna", NOW, token=result[1].strip())) == "granted"
    assert run("user", "token", "list", "anna")[1].splitlines() == [
        "name      created",
        "copier-1  2027-01-15 08:00 UTC",
    ]
    assert json.loads(run("user", "token", "list", "anna", "--json")[1]) == [
        {"name": "copier-1", "created": "2027-01-15T08:00:00Z"}
    ]
    assert run("user", "token", "remove", "anna", "copier-1")[0] == 0
    assert run("user", "token", "list", "anna")[1] == "anna has no tokens\n"
    assert error_of(run("user", "token", "remove", "anna", "copier-1")) == "anna has no token 'copier-1'"


def test_a_token_is_written_to_a_new_file_that_only_its_owner_can_read(run, anna):
    result = run("user", "token", "add", "anna", "copier-1", "--out", "token.txt")
    assert result == (0, "created token.txt with the token 'copier-1' of anna\n", "")
    file = Path("token.txt")
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    [token] = file.read_text(encoding="utf-8").splitlines()
    assert code(log_in(opened(Path("provider.sqlite")), "anna", NOW, token=token)) == "granted"


def test_no_token_is_created_when_its_file_cannot_be_and_no_file_without_a_token(run, anna, tmp_path):
    Path("token.txt").write_text("former", encoding="utf-8")
    assert error_of(run("user", "token", "add", "anna", "a", "--out", "token.txt")) == (
        f"token.txt cannot be created: {os.strerror(errno.EEXIST)}"
    )
    assert Path("token.txt").read_text(encoding="utf-8") == "former"
    assert users().tokens(users().get("anna")) == []
    assert run("user", "token", "add", "anna", "a")[0] == 0
    assert "has a token 'a' already" in error_of(run("user", "token", "add", "anna", "a", "--out", "new.txt"))
    assert "no such login: 'bob'" in error_of(run("user", "token", "add", "bob", "a", "--out", "new.txt"))
    assert not Path("new.txt").exists()


# ---- bans


@pytest.fixture
def banned(anna: None) -> None:
    """anna is banned from HOME, and HOME as a whole."""
    provider = opened(Path("provider.sqlite"))
    for number in range(15):
        fail(provider, f"guess{number}", NOW - 30, 1)
    for _ in range(5):
        log_in(provider, "anna", NOW - 30, password=WRONG)
        with provider.state.writing() as db:
            db.execute("UPDATE attempts SET next = 0")


def test_bans_are_shown_as_a_table_and_as_json(run, banned):
    assert run("bans")[1].splitlines() == [
        "address      login          ends in  ends at               bans in a row",
        "203.0.113.7  (the address)  30 s     2027-01-15 08:00 UTC  1",
        "203.0.113.7  anna           30 s     2027-01-15 08:00 UTC  1",
    ]
    assert json.loads(run("bans", "--json")[1])[1] == {
        "address": HOME,
        "login": "anna",
        "since": "2027-01-15T07:59:30Z",
        "until": "2027-01-15T08:00:30Z",
        "bans": 1,
    }


@pytest.mark.parametrize(
    ("arguments", "ended"),
    [
        (("--all",), 2),
        ((HOME,), 2),
        (("--login", "Anna"), 1),
        ((HOME, "--login", "anna"), 1),
        (("192.0.2.1",), 0),
        (("2001:db8::/64",), 0),
    ],
)
def test_unban_ends_the_bans_that_are_named(run, banned, arguments, ended):
    assert run("unban", *arguments) == (0, f"ended {ended} ban{'' if ended == 1 else 's'}\n", "")
    assert len(json.loads(run("bans", "--json")[1])) == 2 - ended


def test_unban_needs_to_know_what(run, banned):
    assert "nothing to unban" in error_of(run("unban"))
    assert "--all ends all bans" in error_of(run("unban", HOME, "--all"))
    result = run("unban", "home")
    assert result[0] == 2
    assert result[2].endswith("argument ADDRESS: 'home' is not an IPv4 or IPv6 address\n")


# ---- the command line


def test_another_file_is_named_with_state(run, tmp_path):
    other = str(tmp_path / "other.sqlite")
    assert run("user", "add", "anna", "--stdin", "--state", other, stdin=PASSWORD.encode())[0] == 0
    assert "anna" in run("user", "list", "--state", other)[1]
    assert not Path("provider.sqlite").exists()


@pytest.mark.parametrize(
    "arguments", [("user", "list"), ("user", "disable", "anna"), ("bans",), ("unban", "--all")], ids=" ".join
)
def test_only_add_creates_a_missing_file(run, arguments):
    assert "no such file: provider.sqlite" in error_of(run(*arguments), 4)
    assert not Path("provider.sqlite").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("user",),
        ("user", "token"),
        *(("user", each) for each in ("add", "set", "list", "disable", "enable", "passwd", "remove")),
        *(("user", "token", each) for each in ("add", "list", "remove")),
        ("bans",),
        ("unban",),
    ],
    ids=" ".join,
)
def test_every_help_fits_a_terminal_of_80_columns(run, arguments, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    result = run(*arguments, "--help")
    assert (result[0], result[2]) == (0, "")
    assert len(result[1].splitlines()) > 3
    assert max(map(len, result[1].splitlines())) <= 80


@pytest.mark.parametrize("arguments", [(), ("user",), ("nonsense",), ("user", "add"), ("user", "token")], ids=" ".join)
def test_an_incomplete_command_is_code_2_and_no_traceback(run, arguments):
    result = run(*arguments)
    assert result[:2] == (2, "")
    assert "error: " in result[2].splitlines()[-1]


def test_the_command_works_as_a_process_with_the_real_clock_and_hash(tmp_path):
    state = ("--state", tmp_path / "provider.sqlite")
    done = demos("provider", "user", "add", "anna", "--stdin", *state, input="пароль на русском\n")
    assert (done.returncode, done.stdout) == (0, "added anna\n")
    assert demos("provider", "user", "list", *state).stdout.count("\n") == 2


@pytest.mark.posix_only(reason="a process without a terminal")
def test_a_process_without_a_terminal_does_not_wait_for_a_password(tmp_path):
    done = demos("provider", "user", "add", "anna", "--state", tmp_path / "p.sqlite", start_new_session=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("error: there is no terminal to ask for the password at: use --stdin\n")


AT_A_TERMINAL = f"""
import os, pty, sys
seen, prompts = b"", [b"New password for anna: ", b"Repeat the password: "]
def read(descriptor):
    global seen
    data = os.read(descriptor, 1024)
    seen += data
    if prompts and prompts[0] in seen:
        del prompts[0]
        os.write(descriptor, b"{PASSWORD}\\n")
    return data
status = pty.spawn([sys.executable, "-m", "demos", *sys.argv[1:]], read)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.posix_only(reason="a pseudo-terminal")
def test_a_password_that_is_typed_at_a_terminal_is_not_shown(tmp_path):
    state = tmp_path / "provider.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", AT_A_TERMINAL, "provider", "user", "add", "anna", "--state", str(state)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done
    assert "New password for anna: " in done.stdout
    assert "added anna" in done.stdout
    assert PASSWORD not in done.stdout
    assert opened(state).users.get("anna").login == "anna"


def test_the_right_to_publish_is_given_changed_and_taken_away(run, anna):
    assert run("user", "set", "anna", "--publish", "main", "--publish", "a.b-c")[0] == 0
    [user] = json.loads(run("user", "list", "--json")[1])
    assert user["publish"] == ["a.b-c", "main"]
    assert "publisher" in run("user", "list")[1]
    run("user", "set", "anna", "--connections", "3")
    [user] = json.loads(run("user", "list", "--json")[1])
    assert user["publish"] == ["a.b-c", "main"]
    run("user", "set", "anna", "--no-publish")
    [user] = json.loads(run("user", "list", "--json")[1])
    assert user["publish"] == []


def test_the_topics_that_a_user_may_follow_are_given_changed_and_taken_away(run, anna):
    def topics(login: str) -> list[str] | None:
        found = {user["login"]: user["topics"] for user in json.loads(run("user", "list", "--json")[1])}
        return found[login]

    run("user", "add", "bob", "--stdin", "--topic", "main", stdin=PASSWORD.encode())
    assert (topics("anna"), topics("bob")) == (None, ["main"])
    assert run("user", "set", "anna", "--topic", "main", "--topic", "a.b-c")[0] == 0
    run("user", "set", "anna", "--connections", "3", "--publish", "other")
    assert topics("anna") == ["a.b-c", "main"]
    run("user", "set", "anna", "--all-topics")
    assert topics("anna") is None
