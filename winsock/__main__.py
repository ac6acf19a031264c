"""python -m winsock: which version runs, on which backend."""

import platform

from . import BACKEND, __version__, calls


def main() -> None:
    # compat alone has a mode: cffi's API mode, or its ABI mode where no compiler was available.
    mode = getattr(calls, "MODE", None)
    backend = f"{BACKEND} (cffi {mode.upper()} mode)" if mode else BACKEND
    print(f"winsock {__version__}, backend {backend}, Python {platform.python_version()}")


if __name__ == "__main__":
    main()
