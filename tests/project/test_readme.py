"""The README and the other pages at the top: the README's programs run, and every link and path exists.

Also the steps of the pages to which the README sends a newcomer.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from login_kit import count_hashes
from winsock_kit import bound, port_of

from demos.__main__ import main as demos_command
from demos.copier.config_check import copier_findings
from demos.launcher.config_check import check_config
from demos.provider.config_check import provider_findings
from winsock import WSAErrorDescript, closesocket

ROOT = Path(__file__).parents[2]
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("*.md"))}
README = PAGES["README.md"]


def program(name: str, port: int) -> str:
    """One of the README's programs, with a free port."""
    block = re.search(rf"```python\n# {name}\n(.*?)```", README, re.DOTALL)
    assert block, f"the README has no {name}"
    assert "htons(8081)" in block[1]
    return block[1].replace("htons(8081)", f"htons({port})")


def test_the_client_receives_what_the_server_sends(started: None) -> None:
    listener = bound()
    port = port_of(listener)
    closesocket(listener)
    server = subprocess.Popen(
        [sys.executable, "-c", program("server.py", port)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        for _ in range(100):
            client = subprocess.run(
                [sys.executable, "-c", program("client.py", port)], cwd=ROOT, capture_output=True, text=True, timeout=30
            )
            if client.returncode == 0:
                break
            assert WSAErrorDescript(10061) in client.stderr  # the server does not listen yet
        assert client.stdout.strip() == repr(bytearray(b"hello\0"))
        assert server.communicate(timeout=30)[0].strip() == "6 bytes sent"
        assert server.returncode == 0
    finally:
        server.kill()
        server.wait()


def test_the_commands_of_the_first_screen_install_the_clone_and_draw_two_programs(tmp_path: Path) -> None:
    found = re.findall(r"^    (\S.*)$", README.partition("\n## ")[0], re.MULTILINE)
    install, draw = found
    assert install.endswith("python -m pip install -e .")
    words = shlex.split(draw.replace("talk.html", (tmp_path / "talk.html").as_posix()))
    assert words.pop(0) == "python"
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert "<html" in (tmp_path / "talk.html").read_text(encoding="utf-8")[:200]


def test_the_first_screen_has_a_picture_of_the_page_and_one_of_a_chart() -> None:
    first = README.partition("\n## ")[0]
    assert re.findall(r"\[!\[[^\]]+\]\((\S+)\)\]\((\S+)\)", first) == [
        ("notes/pictures/trace.png", "notes/pictures/trace.png"),
        ("notes/pictures/chart.png", "notes/pictures/chart.png"),
    ]


def test_no_command_has_words_after_it_that_the_shell_would_take_as_arguments() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("notes/**/*.md"), *ROOT.glob("tests/**/*.md"), *ROOT.glob("demos/**/*.md")]
    remark = re.compile(r"^    (?:python|py|tests/)\S* .*\S {3,}[^\s#\\]", re.MULTILINE)
    found = {page.name: remark.findall(page.read_text(encoding="utf-8")) for page in pages}
    assert not {name: lines for name, lines in found.items() if lines}


def test_the_programs_are_about_ten_lines() -> None:
    for name in ("server.py", "client.py"):
        assert program(name, 1).count("\n") <= 12


@pytest.mark.parametrize("page", PAGES)
def test_every_link_has_a_target(page: str) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", PAGES[page]):
        assert (ROOT / page).parent.joinpath(link.partition("#")[0]).exists(), link


@pytest.mark.parametrize("page", PAGES)
def test_every_file_and_folder_that_is_named_exists(page: str) -> None:
    for name in re.findall(r"`((?:demos|tests|winsock|compat|notes)/[\w/.]*)`", PAGES[page]):
        assert (ROOT / name).exists(), name


def test_the_readme_says_where_to_find_what() -> None:
    table = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", README, re.MULTILINE))
    (receiving,) = (place for name, place in table.items() if "`recv` that finds nothing" in name)
    assert "`compat/winsock_compat/calls/receiving.py`" in receiving
    assert "def recv" in source("compat/winsock_compat/calls/receiving.py")
    (article,) = (place for name, place in table.items() if "program of the article" in name)
    assert "`SyncSymbolLot`, for example, in `demos/signal/client.py`" in article
    assert "def SyncSymbolLot" in source("demos/signal/client.py")
    (text,) = (place for name, place in table.items() if "text of a Winsock error" in name)
    assert text == "`winsock/errors.py`"
    assert "def WSAErrorDescript" in source(text.strip("`"))
    (demo,) = (place for name, place in table.items() if "new demo" in name)
    assert "`demos/registry.py`" in demo


def source(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def provider_steps() -> list[list[str]]:
    """The arguments of the commands of "Your own provider"."""
    section = source("notes/signal-provider.md").partition("\n## Your own provider\n")[2].partition("\n## ")[0]
    found = [shlex.split(line) for line in re.findall(r"^    python -m demos (.*)$", section, re.MULTILINE)]
    assert found[0] == ["provider", "cert", "localhost"]
    return found


def test_the_steps_to_a_provider_work_word_for_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "a long password")
    monkeypatch.delenv("WINSOCK_PASSWORD", raising=False)
    count_hashes(monkeypatch)
    steps = provider_steps()
    assert len(steps) == 6
    for arguments in steps[:4]:
        assert demos_command(arguments) == 0
    for arguments, name, findings in zip(
        steps[4:], ("provider", "copier"), (provider_findings, copier_findings), strict=True
    ):
        assert arguments[:2] == ["run", name]
        options = list(zip(arguments[2::2], arguments[3::2], strict=True))
        lines = [f"{key[2:]} = {value if value.isdigit() else repr(value)}" for key, value in options]
        # Any free port: another provider may run on this machine.
        lines += ["Port = 0", "plain-port = 0"] if name == "provider" else []
        Path(f"{name}.toml").write_text("\n".join(lines), encoding="utf-8")
        assert check_config(name, Path(f"{name}.toml"), findings) == []


def test_the_files_of_the_steps_are_not_added_to_the_repository() -> None:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("this is not a clone")
    names = [
        "key.pem", "cert.pem", "token.txt", "provider.sqlite", "provider.sqlite-wal", "copier.sqlite.lock",
        "copier.sqlite.dry", "provider.sqlite.old", "backup.sqlite.part", "copier.log", "copier.log.1", "provider.toml",
        "talk.html", "talk.pcapng", "talk.json", "beside.html", "charts/server.png", "one/client.jsonl",
        "two/client.jsonl", "trace/network.txt", "signal-7.faults", "results.md", "received.tpl",
    ]  # fmt: skip
    done = subprocess.run([git, "check-ignore", *names], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == names


def test_it_has_no_placeholders() -> None:
    assert "@@" not in README
    assert "TODO" not in README


def test_it_does_not_install_from_a_package_index() -> None:
    assert not re.search(r"pip install winsock", README)
