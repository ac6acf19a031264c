"""Builds the compiled mode: `winsock_compat._libc`, from the same declarations that the in-line mode reads."""

import runpy
from pathlib import Path

import cffi

_here = Path(__file__).parent
_declared = runpy.run_path(str(_here / "declarations.py"))

ffibuilder = cffi.FFI()
ffibuilder.cdef(_declared["CDEF"] + _declared["QUICK"])
# optional: without a C compiler the package installs all the same, and runs in-line.
ffibuilder.set_source(
    "winsock_compat._libc", _declared["HEADERS"] + _here.joinpath("quick.h").read_text(), optional=True
)
