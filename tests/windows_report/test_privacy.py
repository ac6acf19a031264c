"""A report does not identify its machine or user."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tests.windows_report import privacy
from tests.windows_report.resuming import CHECKOUT

FOLDERS = {
    r"C:\Users\Jane Doe\src\winsock": "<clone>",
    r"C:\Users\JANEDO~1\AppData\Local\Temp": "<temp>",
    r"C:\Users\Jane Doe": "<home>",
    "C:\\": "<root>",
    "": "<nothing>",
}
CLEANER = privacy.Cleaner(FOLDERS, ["Jane Doe", "JANEDO~1", "DESKTOP-X1", "J\xe9r\xf4me"], ["192.168.1.5", "fe80::1"])


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (r"C:\Users\Jane Doe\src\winsock\tests\api", r"<clone>\tests\api"),
        ("C:/Users/Jane Doe/src/winsock/tests", "<clone>/tests"),
        (r"'C:\\Users\\Jane Doe\\src\\winsock\\x'", r"'<clone>\\x'"),
        (r"c:\users\jane doe\desktop", r"<home>\desktop"),
        (r"C:\Users\JANEDO~1\AppData\Local\Temp\x.db", r"<temp>\x.db"),
        (r"C:\Users\Jane Doe\src\winsock2", r"<home>\src\winsock2"),
        (r"C:\Windows\x", r"C:\Windows\x"),
        ("jane doe on desktop-x1.", "<name> on <name>."),
        ("Jane Doerr on DESKTOP-X12", "Jane Doerr on DESKTOP-X12"),
        ("J\xe9r\xf4me", "<name>"),
        ("J\\xe9r\\xf4me", "<name>"),
        ("from 192.168.1.5:80, not 192.168.1.50", "from <address>:80, not 192.168.1.50"),
        ("[fe80::1]", "[<address>]"),
        ("2 127.0.0.1:a port", "2 127.0.0.1:a port"),
    ],
)
def test_folders_names_and_addresses_are_replaced_in_each_notation(text: str, cleaned: str) -> None:
    assert CLEANER.text(text) == cleaned


def test_the_texts_of_a_value_are_cleaned_and_its_keys_stay() -> None:
    value = {"Jane Doe": ["Jane Doe", {"x": "on DESKTOP-X1"}, 5, None, True]}
    assert CLEANER.value(value) == {"Jane Doe": ["<name>", {"x": "on <name>"}, 5, None, True]}


def test_names_that_the_project_itself_uses_stay() -> None:
    environment = {"USERNAME": "Socket", "COMPUTERNAME": "Oberon7", "USERDOMAIN": "a long domain"}
    found = privacy.names("host9.example.org", environment)
    assert {"Oberon7", "host9", "host9.example.org", "a long domain", "alongd~1"} <= found
    assert not {"Socket", "", "a"} & found


def test_the_cleaner_of_this_machine_removes_its_folders() -> None:
    text = os.linesep.join(map(str, (CHECKOUT / "x", Path(tempfile.gettempdir(), "y"))))
    cleaned = privacy.cleaner().text(text)
    assert str(CHECKOUT) not in cleaned
    assert "<clone>" in cleaned
