"""What a report says about the machine: the versions that decide how Winsock behaves, and what is not installed."""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conformance.reference_system import wine_version
from winsock import MAKEWORD, WSADATA, WSACleanup, WSAStartup
from winsock.version import __version__

from .resuming import CHECKOUT

# Without these modules of the extra `test` no test can run.
NEEDED = {"pytest": "pytest", "pytest_timeout": "pytest-timeout", "hypothesis": "hypothesis"}
# Without one of these some tests are skipped or fail.
OPTIONAL = {
    "cryptography": "cryptography",
    "h11": "h11",
    "matplotlib": "matplotlib",
    "paho.mqtt": "paho-mqtt",
    "prometheus_client": "prometheus-client",
    "rich": "rich",
    "websockets": "websockets",
    "wsproto": "wsproto",
}


def missing(modules: dict[str, str]) -> list[str]:
    """The packages whose modules are not installed."""
    return [package for module, package in modules.items() if not _is_installed(module)]


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package that should have the module
        return False


def describe() -> dict[str, Any]:
    """The versions of Windows, Winsock, Python and this project."""
    return {
        "windows": _windows(),
        "wine": wine_version(),
        "winsock_dll": _winsock_dll(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "bits": 64 if sys.maxsize > 2**32 else 32,
        "winsock": __version__,
        "commit": commit(CHECKOUT),
        "changed": _is_changed(),
        "missing": missing(NEEDED | OPTIONAL),
    }


def _windows() -> str:
    """Such as "Windows 11 (10.0.22631)"; elsewhere the name of the system, which no report may have."""
    if sys.platform != "win32":
        return platform.system()
    found = sys.getwindowsversion()
    # A Python without a manifest gets the version of Windows 8 here, and the real one there.
    version = max((found.major, found.minor, found.build), tuple(found.platform_version))
    name = "Windows Server" if found.product_type != 1 else f"Windows {11 if version >= (10, 0, 22000) else version[0]}"
    return f"{name} ({'.'.join(map(str, version))})"


def _winsock_dll() -> str:
    data = WSADATA()
    if WSAStartup(MAKEWORD(2, 2), data) != 0:
        return "WSAStartup fails"
    WSACleanup()
    return str(data.szDescription.decode("ascii", "backslashreplace"))


def commit(checkout: Path) -> str | None:
    """The commit of a clone, read without git; None in a folder that is no clone, such as an unpacked archive."""
    folder = checkout / ".git"
    try:
        if folder.is_file():  # a worktree
            folder = checkout / folder.read_text(encoding="utf-8").partition("gitdir: ")[2].strip()
        head = (folder / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref: "):
            return _as_commit(head)
        name = head.removeprefix("ref: ")
        common = folder / "commondir"
        base = folder / common.read_text(encoding="utf-8").strip() if common.exists() else folder
        loose = base / name
        if loose.exists():
            return _as_commit(loose.read_text(encoding="utf-8").strip())
        packed = (base / "packed-refs").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((_as_commit(line.split()[0]) for line in packed if line.endswith(f" {name}")), None)


def _as_commit(text: str) -> str | None:
    return text if re.fullmatch(r"[0-9a-f]{40,64}", text) else None


def _is_changed() -> bool | None:
    """Whether files of the clone differ from the commit; None if git cannot say it."""
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "-C", str(CHECKOUT), "status", "--porcelain", "--untracked-files=no"]
    done = subprocess.run(command, capture_output=True, check=False)
    return bool(done.stdout.strip()) if done.returncode == 0 else None
