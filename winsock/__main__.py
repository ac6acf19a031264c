"""python -m winsock: prints the version, the backend and the version of Python."""

import platform
import sys

from . import BACKEND, __version__, calls
from .command_line import run_command


def main() -> None:
    # Only compat has a mode: "api" (cffi API mode, compiled), or "abi" (cffi ABI mode) without a compiler.
    mode = getattr(calls, "MODE", "")
    accelerated = "with" if getattr(calls, "ACCELERATED", False) else "without"
    backend = f"{BACKEND} (cffi {mode.upper()} mode, {accelerated} the accelerator)" if mode else BACKEND
    print(f"winsock {__version__}, backend {backend}, Python {platform.python_version()}")


if __name__ == "__main__":
    sys.exit(run_command("python -m winsock", main))
