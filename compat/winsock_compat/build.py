"""Builds the compiled mode: `winsock_compat._libc`, from the same declarations that the in-line mode reads."""

import runpy
from pathlib import Path

import cffi

_declared = runpy.run_path(str(Path(__file__).with_name("declarations.py")))

ffibuilder = cffi.FFI()
ffibuilder.cdef(_declared["CDEF"])
# optional: without a C compiler the package installs all the same, and runs in-line.
ffibuilder.set_source("winsock_compat._libc", _declared["HEADERS"], optional=True)
