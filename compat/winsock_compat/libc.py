"""The host's C library through cffi: compiled where that was built, else in-line from the same declarations."""

import ctypes
import importlib
import importlib.util
from typing import Any

import _cffi_backend
import cffi

from winsock.arguments import refuse_pointer

from .declarations import *  # noqa: F403 - the host's numbers, under the host's names
from .declarations import CDEF, NUMBERS

try:
    _libc = importlib.import_module("._libc", __package__)
except ImportError:
    # A compiled module that is there but does not load is a fault to report, not an absent one.
    if importlib.util.find_spec(f"{__package__}._libc"):
        raise
    MODE = "abi"
    ffi: Any = cffi.FFI()
    ffi.cdef(CDEF)
    lib: Any = ffi.dlopen(None)
else:
    MODE = "api"
    ffi, lib = _libc.ffi, _libc.lib
    for _name in NUMBERS:
        getattr(lib, _name)  # raises where the headers of this host say something else

get_errno = _cffi_backend.get_errno
# from_buffer(BYTES, buffer, True) is the bytes of a bytearray as the functions of `lib` take them; the hot calls use it
# as it is, because any wrapper would double its time.
BYTES = ffi.typeof("char[]")
from_buffer: Any = _cffi_backend.from_buffer


# The ctypes structures and arrays that were met: all their objects are writable, and addressof and sizeof, which tell
# where one is and how large, cost a quarter of a view.
CTYPES: set[type] = set()
_MANY_TYPES = 256  # a program may make a type for each call: beyond, their objects get views
addressof: Any = ctypes.addressof
sizeof: Any = ctypes.sizeof


def view_to_fill(buffer: Any) -> Any:
    """The bytes of any buffer that the host writes to; TypeError where that can't be."""
    return _view(buffer, True)


def view_to_read(buffer: Any) -> Any:
    """The bytes of any buffer that the host reads; TypeError where there is none."""
    return _view(buffer, False)


def _view(buffer: Any, fill: bool) -> Any:
    refuse_pointer(buffer)
    try:
        view = from_buffer(BYTES, buffer, fill)
    except BufferError as error:
        raise TypeError(str(error)) from None
    except TypeError:
        raise TypeError(f"a buffer is needed, not {type(buffer).__name__}") from None
    if isinstance(buffer, (ctypes.Structure, ctypes.Array)) and len(CTYPES) < _MANY_TYPES:
        CTYPES.add(type(buffer))
    return view
