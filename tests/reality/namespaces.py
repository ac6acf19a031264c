"""Hosts in network namespaces, connected by the bridge. Needs root, Linux and the program ip."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import functools
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_SIOCETHTOOL = 0x8946
# The commands of ethtool for what would make frames longer than the MTU or leave their checksums open.
_OFFLOADS = (0x15, 0x17, 0x1F, 0x24, 0x2C)
# `ip netns exec` shows a host the files of this folder in the place of those in /etc.
_FILES = Path("/etc/netns")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@functools.cache
def reason_to_skip() -> str:
    """Why no hosts can be made here; "" where they can."""
    if os.geteuid() != 0:
        return "needs root, to make network namespaces"
    if shutil.which("ip") is None:
        return "needs the program ip"
    try:
        with Namespaces(["one", "two"]):
            return ""
    except (OSError, subprocess.CalledProcessError) as error:
        return f"network namespaces cannot be made: {getattr(error, 'stderr', '') or error}".strip()


class Namespaces:
    """Hosts with one interface each in the network 10.77.0.0/24. They find each other by their names."""

    def __init__(self, hosts: Sequence[str], seed: int = 1) -> None:
        self.hosts, self._seed = hosts, seed
        self._prefix = f"ws{os.getpid() % 100_000}"
        self._stack = ExitStack()
        self._bridge: subprocess.Popen[str] | None = None

    def __enter__(self) -> Namespaces:
        with self._stack as stack:
            command = [sys.executable, "-m", "tests.reality.bridge", str(self._seed)]
            self._bridge = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, bufsize=1
            )
            stack.callback(self._bridge.communicate)
            for host in self.hosts:
                stack.callback(self.remove, host)
                self.make(host)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def address(self, host: str) -> str:
        """The address of a host."""
        return f"10.77.0.{self._number(host)}"

    def set_direction(self, source: str, target: str, **rule: Any) -> None:
        """What happens to frames from one host to another: latency in seconds, loss as a share, drop."""
        self._command({"from": source, "to": target, **rule})

    def start(self, host: str, arguments: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Start Python with these arguments on a host. `ip netns exec` becomes the program: the pid is its pid."""
        command = ["ip", "netns", "exec", self._namespace(host), sys.executable, *arguments]
        return subprocess.Popen(command, text=True, cwd=ROOT, **options)

    def make(self, host: str) -> None:
        """Make the namespace of a host, and connect it."""
        namespace, number = self._namespace(host), self._number(host)
        inner, outer = f"{self._prefix}i{number}", f"{self._prefix}o{number}"
        _ip("netns", "add", namespace)
        _ip("link", "add", outer, "type", "veth", "peer", "name", inner)
        _whole_frames(inner)
        _whole_frames(outer)
        _ip("link", "set", inner, "netns", namespace)
        _ip("link", "set", outer, "up")
        _ip("-n", namespace, "link", "set", "lo", "up")
        _ip("-n", namespace, "address", "add", f"{self.address(host)}/24", "dev", inner)
        _ip("-n", namespace, "link", "set", inner, "up")
        files = _FILES / namespace
        files.mkdir(parents=True, exist_ok=True)
        names = [f"{self.address(each)} {each}\n" for each in self.hosts]
        (files / "hosts").write_text("".join(["127.0.0.1 localhost\n", *names]))
        self._command({"link": host, "interface": outer})

    def remove(self, host: str) -> None:
        """Remove a host with its kernel's sockets: nobody gets a FIN or RST. Its processes must have ended."""
        namespace = self._namespace(host)
        # The packet socket of the bridge does not keep the interface, which goes with the namespace's end of it.
        subprocess.run(["ip", "netns", "delete", namespace], check=False, capture_output=True)
        outer = f"{self._prefix}o{self._number(host)}"
        subprocess.run(["ip", "link", "delete", outer], check=False, capture_output=True)
        shutil.rmtree(_FILES / namespace, ignore_errors=True)

    def _number(self, host: str) -> int:
        return self.hosts.index(host) + 1

    def _namespace(self, host: str) -> str:
        return f"{self._prefix}-{host}"

    def _command(self, command: dict[str, object]) -> None:
        bridge = self._bridge
        assert bridge is not None
        assert bridge.stdin is not None
        assert bridge.stdout is not None
        bridge.stdin.write(json.dumps(command) + "\n")
        if bridge.stdout.readline() != "done\n":
            raise OSError("the bridge has ended")


def _whole_frames(interface: str) -> None:
    """Let the kernel put whole packets with valid checksums on the interface, because the bridge only copies them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for command in _OFFLOADS:
            value = (ctypes.c_uint32 * 2)(command, 0)
            # struct ifreq: the name, and a pointer to a struct ethtool_value.
            request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(value))
            try:
                fcntl.ioctl(asking, _SIOCETHTOOL, request)
            except OSError as error:
                if error.errno != errno.EOPNOTSUPP:
                    raise
