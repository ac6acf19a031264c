"""Two machines in one network, made of network namespaces: the first one has two interfaces.

A network namespace belongs to a thread; the sockets that the thread opens stay in it. So each machine is a thread.
"""

from __future__ import annotations

import ctypes
import functools
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.conformance.recorder import Json

_CLONE_NEWNET = 0x40000000
# The first machine's addresses on its two interfaces, and the second machine's address in the first one's network.
NET_A, NET_B, FAR = 0x0A090001, 0x0A080001, 0x0A090002
BROADCAST_A, LIMITED_BROADCAST = 0x0A0900FF, 0xFFFFFFFF
NET_A6, NET_B6 = (bytes.fromhex(f"fd0{net}") + bytes(13) + b"\1" for net in "98")
# The indexes of the interfaces.
INDEX_A, INDEX_B = 71, 72
_SET_UP = """link set lo up
link add neta index 71 type veth peer name fara
link add netb index 72 type veth peer name farb
addr add 10.9.0.1/24 brd 10.9.0.255 dev neta
addr add 10.8.0.1/24 brd 10.8.0.255 dev netb
addr add fd09::1/64 dev neta nodad
addr add fd08::1/64 dev netb nodad
link set neta up
link set netb up
link set fara netns {far}
link set farb netns {far}
"""
_SET_UP_FAR = """link set lo up
addr add 10.9.0.2/24 brd 10.9.0.255 dev fara
addr add fd09::2/64 dev fara nodad
link set fara up
link set farb up
route add 224.0.0.0/4 dev fara
"""
# When all interfaces have a connection.
_ROUTES = "route add 224.0.0.0/4 dev neta\n"
_ROUNDS = 2000  # of waiting for the connections


def _enter_new_namespace() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare failed")


def _wait_for_connections() -> None:
    """Waits until the kernel has a route for IPv6 groups on both interfaces, the last step after their set-up."""
    for _ in range(_ROUNDS):
        lines = Path("/proc/thread-self/net/ipv6_route").read_text().splitlines()
        if len({line.split()[-1] for line in lines if line.startswith("ff00")}) == 2:
            return
        threading.Event().wait(0.002)
    raise OSError("the interfaces have no connection in time")


@functools.cache
def has_networks() -> bool:
    """Whether this process can make such machines: as root, on Linux with IPv6, with the program ip."""
    if sys.platform != "linux" or shutil.which("ip") is None:
        return False
    try:
        with Machine() as here, Machine() as there:
            _connect(here, there)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


class Machine:
    """A thread in a network namespace of its own."""

    def __enter__(self) -> Machine:
        self._thread = ThreadPoolExecutor(1)
        try:
            self.run(_enter_new_namespace)
        except OSError:
            self._thread.shutdown()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=error is None)

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function on this machine."""
        return self._thread.submit(function, *arguments).result()

    def ip(self, commands: str) -> None:
        """Runs commands of the program ip."""
        arguments = {"input": commands, "text": True, "check": True, "capture_output": True}
        self.run(functools.partial(subprocess.run, ["ip", "-batch", "-"], **arguments))


def _connect(here: Machine, there: Machine) -> None:
    here.ip(_SET_UP.format(far=there.run(threading.get_native_id)))
    there.ip(_SET_UP_FAR)
    here.run(_wait_for_connections)
    there.run(_wait_for_connections)
    here.ip(_ROUTES)


def on_network(situation: Callable[[Machine], Json]) -> Callable[[], Json]:
    """Makes a situation on the first machine a function without parameters; its parameter is the second machine."""

    @functools.wraps(situation)
    def observe() -> Json:
        with Machine() as here, Machine() as there:
            _connect(here, there)
            return here.run(situation, there)

    return observe
