"""The README holds: its programs run as they stand, and what it names is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from winsock_kit import bound, port_of

from winsock import WSAErrorDescript, closesocket

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def program(name: str, port: int) -> str:
    """One of the README's programs, with another port than the one that may be in use here."""
    block = re.search(rf"```python\n# {name}\n(.*?)```", README, re.DOTALL)
    assert block, f"the README has no {name}"
    assert "htons(8081)" in block[1]
    return block[1].replace("htons(8081)", f"htons({port})")


def test_the_server_and_the_client_talk(started: None) -> None:
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


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_it_is_finished() -> None:
    assert "@@" not in README
    assert "TODO" not in README


def test_it_does_not_send_anyone_to_a_package_index() -> None:
    assert not re.search(r"pip install winsock", README)
