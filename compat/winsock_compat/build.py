"""Builds the compiled module of cffi's API mode, `winsock_compat.posix._libc`: the C library's functions.

They are declared in posix/declarations.py, which ABI mode reads too.
"""

import runpy
from pathlib import Path

import cffi

_POSIX = Path(__file__).parent / "posix"
_system = runpy.run_path(str(_POSIX / "declarations.py"))
_checksum = runpy.run_path(str(_POSIX / "compiled.py"))["sources_checksum"]("posix._libc")

ffibuilder = cffi.FFI()
ffibuilder.cdef(_system["CDEF"] + "#define SOURCES_CHECKSUM ...\n")
# optional: without a C compiler the package installs too, and runs in ABI mode.
ffibuilder.set_source(
    "winsock_compat.posix._libc", f"{_system['HEADERS']}#define SOURCES_CHECKSUM {_checksum}u\n", optional=True
)
