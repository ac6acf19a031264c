"""python -m winsock: which version runs, on which backend."""

import platform

from . import BACKEND, __version__, calls


def main() -> None:
    # compat alone has a mode: cffi's compiled one, or the in-line one where no compiler was at hand.
    mode = getattr(calls, "MODE", None)
    backend = f"{BACKEND} ({mode} cffi)" if mode else BACKEND
    print(f"winsock {__version__}, backend {backend}, Python {platform.python_version()}")


if __name__ == "__main__":
    main()
