"""The simulated operating system under the reference: it has the place of winsock_compat.posix in one process.

`posix_modules` makes the modules that winsock_compat/posix/__init__.py describes as the seam, over the stack of a host
and the descriptors of a process. They behave as on Linux, on every system: `declarations.LINUX` is True.
"""

from __future__ import annotations

from types import ModuleType

from ..kernel.files import Files
from ..kernel.stack import Stack
from . import declarations, interfaces, listen_queues, packet_filter
from .resolver import Found, Resolver
from .system import System
from .waiting import Wait, Waiting

__all__ = ["posix_modules"]


def posix_modules(stack: Stack, files: Files, wait: Wait) -> dict[str, object]:
    """The modules of one process by their names. `wait(deadline, reason)` suspends the process until `files.wake`."""
    system = System(stack, files, wait)
    return {
        "declarations": declarations,
        "system": _module("system", system, Descriptor=system.descriptor_type()),
        "waiting": _module("waiting", Waiting(stack, files, wait)),
        "resolver": _module("resolver", Resolver(stack), Found=Found),
        "interfaces": _module(
            "interfaces",
            None,
            own_addresses=lambda: interfaces.own_addresses(stack),
            InterfaceAddress=interfaces.InterfaceAddress,
        ),
        "listen_queues": _module("listen_queues", None, is_full=lambda local, peer: listen_queues.is_full(stack, peer)),
        "port_sharing": _module("port_sharing", None, forget_sharing=lambda port: None),
        "packet_filter": packet_filter,
    }


def _module(name: str, source: object, **members: object) -> ModuleType:
    """A module with the public members of an object, and these ones."""
    module = ModuleType(f"{__name__}.{name}")
    for member in dir(source) if source is not None else ():
        if not member.startswith("_"):
            setattr(module, member, getattr(source, member))
    for member, value in members.items():
        setattr(module, member, value)
    return module
