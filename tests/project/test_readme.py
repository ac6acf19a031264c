"""The README and the other pages at the top: the README's programs run, and every link and path exists."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from winsock_kit import bound, port_of

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


def test_it_has_no_placeholders() -> None:
    assert "@@" not in README
    assert "TODO" not in README


def test_it_does_not_install_from_a_package_index() -> None:
    assert not re.search(r"pip install winsock", README)
