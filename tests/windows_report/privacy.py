"""Removes from a report what identifies its machine or user: names, folders and addresses.

Messages of failing tests contain paths; a scenario may observe the name of the host. All texts of a report are
searched. A folder is replaced in each notation that occurs: with slashes, with backslashes, with the doubled
backslashes of repr(), and in the short form of Windows (`C:\\Users\\LONGNA~1`). Names are replaced as whole words, in
upper and lower case. A name that the project itself uses, such as "test" or "user", identifies nobody and stays.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .resuming import CHECKOUT

_NAME_VARIABLES = ("USERNAME", "USER", "LOGNAME", "COMPUTERNAME", "USERDOMAIN", "USERDNSDOMAIN")
_SEPARATOR = re.compile(r"[\\/]+")
_RECORDINGS = CHECKOUT / "tests/conformance/recordings"


def folders() -> dict[str, str]:
    """The folders to replace, each with its replacement; the clone may be in the home folder, so it comes first."""
    home = Path.home()
    return {
        str(CHECKOUT): "<clone>",
        tempfile.gettempdir(): "<temp>",
        os.path.realpath(tempfile.gettempdir()): "<temp>",
        sys.prefix: "<environment>",
        sys.base_prefix: "<python>",
        str(home): "<home>",
        os.environ.get("USERPROFILE", ""): "<home>",
        os.path.realpath(home): "<home>",
    }


def names(host: str, environment: Mapping[str, str]) -> set[str]:
    """The names of the user, the machine and its domain, without words that the project itself uses."""
    found = {host, host.partition(".")[0], Path.home().name, *(environment.get(key, "") for key in _NAME_VARIABLES)}
    # The short form that Windows gives a long name of a folder.
    found |= {f"{name.replace(' ', '')[:6]}~1" for name in found if len(name) > 8 or " " in name}
    return {name for name in found if name and name.lower() not in _own_words()}


def _own_words() -> set[str]:
    text = " ".join(path.read_text(encoding="ascii") for path in sorted(_RECORDINGS.glob("*.json")))
    return {word.lower() for word in re.findall(r"\w+", text)} | {"user", "test", "root", "localhost"}


def own_addresses(host: str) -> set[str]:
    """The addresses of this machine, without loopback, each in the notations that results have."""
    try:
        found = {str(entry[4][0]).partition("%")[0] for entry in socket.getaddrinfo(host, None)}
    except OSError:  # the name cannot be resolved, so no result has its addresses
        return set()
    addresses = [address for address in map(ipaddress.ip_address, found) if not address.is_loopback]
    return {text for address in addresses for text in (address.compressed, address.exploded)}


def cleaner() -> Cleaner:
    """The cleaner for this machine."""
    host = socket.gethostname()
    return Cleaner(folders(), names(host, os.environ), own_addresses(host))


class Cleaner:
    """Replaces folders, names and addresses in texts."""

    def __init__(self, folders: Mapping[str, str], names: Iterable[str], addresses: Iterable[str]) -> None:
        patterns = [
            (re.compile(_path_pattern(folder), re.IGNORECASE), replacement)
            for path, replacement in sorted(folders.items(), key=lambda item: -len(item[0]))
            # A root folder, such as C:\ or /, is in every path.
            if [part for part in _SEPARATOR.split(path) if part and not part.endswith(":")]
            for folder in (path, _escaped(path))
        ]
        for words, replacement in ((addresses, "<address>"), (names, "<name>")):
            for word in sorted({*words, *map(_escaped, words)}, key=len, reverse=True):
                patterns.append((re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE), replacement))
        self._patterns = patterns

    def text(self, text: str) -> str:
        for pattern, replacement in self._patterns:
            text = pattern.sub(replacement, text)
        return text

    def value(self, value: Any) -> Any:
        """A value of JSON with its texts cleaned; the keys of objects stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        return value


def _escaped(text: str) -> str:
    """Text as it is written where only ASCII is allowed."""
    return text.encode("ascii", "backslashreplace").decode("ascii")


def _path_pattern(folder: str) -> str:
    """A regular expression for a folder in each notation."""
    parts = _SEPARATOR.split(folder)
    return r"(?:\\+|/)".join(map(re.escape, parts)) + r"(?![\w.-])"
