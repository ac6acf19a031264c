"""Builds the compiled module of cffi's API mode, `winsock_compat.posix._libc`.

It contains the C library's functions, from the declarations that ABI mode reads too, and the functions of quick.h.
"""

import runpy
from pathlib import Path

import cffi

_here = Path(__file__).parent
_system = runpy.run_path(str(_here / "posix" / "declarations.py"))
_quick = runpy.run_path(str(_here / "fast_path" / "quick_declarations.py"))

ffibuilder = cffi.FFI()
ffibuilder.cdef(_system["CDEF"] + _quick["QUICK"])
# optional: without a C compiler the package installs too, and runs in ABI mode.
ffibuilder.set_source(
    "winsock_compat.posix._libc",
    _system["HEADERS"] + _here.joinpath("fast_path", "quick.h").read_text(),
    optional=True,
)
