"""The types of the C extension (accelerator/accelerator.c); state/core_stand_in.py documents what both share."""

from collections.abc import Callable
from typing import Any

from .state.core_stand_in import HandleTable as HandleTable
from .state.core_stand_in import SocketCore as SocketCore
from .state.core_stand_in import get_last_error as get_last_error
from .state.core_stand_in import set_last_error as set_last_error

SOURCES_CHECKSUM: int

def make(
    name: str,
    text: str,
    table: HandleTable,
    decline: Callable[..., Any],
    resume: Callable[..., Any] | None,
    examine: Callable[..., Any] | None,
    types: tuple[type | None, ...],
) -> Callable[..., Any]: ...
def knows_layout(object: Any, address: int, size: int, owned: bool) -> bool: ...
