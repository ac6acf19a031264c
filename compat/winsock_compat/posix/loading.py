"""The C library through cffi: in API mode if the compiled module was built, else in ABI mode.

API mode: a C compiler has built `_libc` from the declarations; a call goes through compiled wrappers, and the numbers
were checked against the system's headers. ABI mode: cffi parses the same declarations at import and calls the loaded
library through libffi.
"""

from typing import Any

import _cffi_backend

from .compiled import load
from .declarations import CDEF, NUMBERS

_libc = load("posix._libc")
if _libc is None:
    import cffi  # here, because its parser takes longer to import than the rest of the package

    MODE = "abi"
    ffi: Any = cffi.FFI()
    ffi.cdef(CDEF)
    lib: Any = ffi.dlopen(None)
else:
    MODE = "api"
    ffi, lib = _libc.ffi, _libc.lib
    for _name in NUMBERS:
        getattr(lib, _name)  # raises where this system's headers have another value

# cffi stores errno right after each call into C; get_errno reads what it stored for this thread.
get_errno = _cffi_backend.get_errno
# from_buffer(BYTES, buffer, True) gives the bytes of a writable buffer as the functions of `lib` take them.
BYTES = ffi.typeof("char[]")
from_buffer: Any = _cffi_backend.from_buffer
