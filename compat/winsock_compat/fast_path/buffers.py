"""The bytes of Python buffers as cffi takes them, for both fast paths."""

import ctypes
from typing import Any

from winsock.arguments import as_input_buffer, as_output_buffer, refuse_pointer

from ..posix.loading import BYTES, ffi, from_buffer

# The types of ctypes structures and arrays that were seen: their objects are writable, and addressof and sizeof cost a
# quarter of a view.
CTYPES: set[type] = set()
_MANY_TYPES = 256  # a program may make a type for each call: objects of further types get views
addressof: Any = ctypes.addressof
sizeof: Any = ctypes.sizeof


def view_to_fill(buffer: Any) -> Any:
    """The bytes of a buffer that the kernel writes to. Errors: those of as_output_buffer."""
    try:
        return _view(buffer, True)
    except (BufferError, TypeError):
        as_output_buffer(buffer)  # raises the same as in the reference
        raise


def view_to_read(buffer: Any) -> Any:
    """The bytes of a buffer that the kernel reads. Errors: those of as_input_buffer."""
    try:
        return _view(buffer, False)
    except (BufferError, TypeError):
        as_input_buffer(buffer)
        raise


def _view(buffer: Any, fill: bool) -> Any:
    refuse_pointer(buffer)
    view = from_buffer(BYTES, buffer, fill)
    if isinstance(buffer, (ctypes.Structure, ctypes.Array)) and len(CTYPES) < _MANY_TYPES:
        CTYPES.add(type(buffer))
    return view


def memory_of(view: Any) -> memoryview:
    """A view as the reference takes it."""
    return memoryview(view if isinstance(view, bytes) else ffi.buffer(view))
