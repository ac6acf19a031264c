"""Fetch and unpack Debian packages with apt into a folder, without root and without changes to the system's sources.

Also what the build scripts share that use it: tests/wine/build.py and tests/python/build.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# The script's folder, which starts its messages: tests/wine, for example.
SCRIPT = f"tests/{Path(sys.argv[0]).resolve().parent.name}"

SUITES = {"bookworm", "trixie", "forky", "sid", "oldoldstable", "oldstable", "stable", "testing", "unstable"}
APT_CONF = """\
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "{folder}/sources";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State::Lists "{folder}/lists";
Dir::State::Status "{folder}/status";
Dir::Cache "{folder}/cache";
APT::Install-Recommends "false";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "root";
Acquire::Retries "3";
Acquire::Languages "none";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""


def run(command: list[str | Path], folder: Path | None = None, environment: dict[str, str] | None = None) -> str:
    """Run a command and return its output.

    Errors: RuntimeError with the error message of a command that fails.
    """
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        lines = [line.strip() for line in ("no output\n" + done.stdout + done.stderr).splitlines() if line.strip()]
        message = next((line for line in lines if line.startswith(("E:", "ERROR:"))), lines[-1])
        raise RuntimeError(f"{Path(command[0]).name} ended with exit code {done.returncode}: {message}")
    return done.stdout


def step(title: str, make: Callable[[Path], None], target: Path) -> None:
    """Create the folder `target` completely, or not at all."""
    if target.exists():
        return
    begin = time.monotonic()
    print(f"{SCRIPT}: {title} …", end="", flush=True)
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        make(partial)
    except RuntimeError:
        print(" failed", flush=True)
        raise
    partial.rename(target)
    print(f" {time.monotonic() - begin:.0f} s", flush=True)


def install(packages: list[str]) -> None:
    """Install packages of this machine's own release.

    Errors: RuntimeError if this is not root, or apt fails.
    """
    if os.getuid() != 0:
        raise RuntimeError(f"missing packages; run as root: apt-get install {' '.join(packages)}")
    print(f"{SCRIPT}: installing {' '.join(packages)} …", end="", flush=True)
    begin = time.monotonic()
    command: list[str | Path] = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        run([*command, "--simulate"])
    except RuntimeError:
        run(["apt-get", "update", "--quiet"])
    run(command, environment=environment)
    print(f" {time.monotonic() - begin:.0f} s", flush=True)


def source_entries(path: Path) -> list[tuple[str, str, str, str]]:
    """(address, suites, components, keyring or '') of each enabled binary source in one file of apt's."""
    entries = []
    if path.suffix == ".sources":
        for stanza in path.read_text().split("\n\n"):
            pairs = (line.partition(":") for line in stanza.splitlines() if not line.startswith(("#", " ")))
            field = {key.lower(): value.strip() for key, _, value in pairs}
            if "deb" in field.get("types", "").split() and field.get("enabled", "yes").lower() != "no":
                addresses, suites, components = (field.get(key, "") for key in ("uris", "suites", "components"))
                entries.append((addresses.split()[0], suites, components, field.get("signed-by", "")))
    elif path.suffix == ".list":
        for line in path.read_text().splitlines():
            if line.startswith("deb "):
                options, _, source = line.removeprefix("deb ").rpartition("]")
                address, suite, *parts = source.split()
                option = dict(pair.split("=", 1) for pair in options.strip(" [").split())
                entries.append((address, suite, " ".join(parts), option.get("signed-by", "")))
    return entries


def mirror() -> tuple[str, str]:
    """Address and keyring ('' for apt's own choice) of the Debian archive that this machine installs from."""
    for path in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        for address, suites, components, keyring in source_entries(path) if path.is_file() else []:
            if SUITES & set(suites.split()) and "main" in components.split():
                return address, keyring if keyring.startswith("/") else ""
    raise RuntimeError("no Debian archive among this machine's apt sources")


def unpack(suite: str, packages: list[str], folder: Path, *, dependencies: bool) -> None:
    """Unpack packages of a suite, with all they depend on if asked, into folder; nothing is installed or configured."""
    address, keyring = mirror()
    apt = folder / "apt"
    for name in ("sources", "lists/partial", "cache/archives/partial"):
        (apt / name).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "apt.conf").write_text(APT_CONF.format(folder=apt))
    signed = f"Signed-By: {keyring}\n" if keyring else ""
    (apt / "sources/debian.sources").write_text(
        f"Types: deb\nURIs: {address}\nSuites: {suite}\nComponents: main\n{signed}"
    )
    apt_get: list[str | Path] = ["apt-get", "-c", apt / "apt.conf", "--yes", "--quiet"]
    run([*apt_get, "update"])
    if dependencies:
        run([*apt_get, "install", "--download-only", *packages])
        archives = apt / "cache/archives"
    else:
        archives = apt
        run([*apt_get, "download", *packages], folder=archives)
    # Where the packages expect the folders of old to be links into usr, as on every system since Debian 12.
    for name in ("bin", "sbin", "lib", "lib64"):
        (folder / "usr" / name).mkdir(parents=True)
        (folder / name).symlink_to(f"usr/{name}")
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(lambda archive: run(["dpkg-deb", "--extract", archive, folder]), archives.glob("*.deb")):
            pass
    shutil.rmtree(apt)
