"""Builds the compiled module of cffi's API mode, `winsock_compat.posix._libc`: the C library's functions.

They are declared in posix/declarations.py, which ABI mode reads too.
"""

import runpy
from pathlib import Path

import cffi

_system = runpy.run_path(str(Path(__file__).parent / "posix" / "declarations.py"))

ffibuilder = cffi.FFI()
ffibuilder.cdef(_system["CDEF"])
# optional: without a C compiler the package installs too, and runs in ABI mode.
ffibuilder.set_source("winsock_compat.posix._libc", _system["HEADERS"], optional=True)
