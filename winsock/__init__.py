"""Winsock for Python: one flat, C-style API, the same on every platform.

On Windows the calls are those of Ws2_32.dll (`winsock.ws2_32`). On other systems the package winsock_compat provides
the same calls, values and errors on BSD sockets. `from winsock import *` defines the names that a C program has after
`#include <winsock2.h>` and `#include <ws2tcpip.h>`. `help(winsock.recv)`, or the module `winsock.api`, shows the C
prototype, the errors and the reference page of a call.

All calls are attributes of one object, `calls`, which satisfies the Protocol `winsock.api.Winsock`. The functions of
this package are those of `calls`; there is no wrapper, so a call through the package costs nothing extra. To intercept
every call of a program (tracer, simulated network), pass another such object to `replace_calls` before the program is
imported.
"""

import importlib
import os
import sys
import typing

from . import api, constants, errors, structures
from .api import CALLS as CALLS
from .api import Winsock as Winsock
from .constants import *  # noqa: F403 - the names of Microsoft's headers, listed in constants.__all__
from .errors import *  # noqa: F403
from .structures import *  # noqa: F403
from .version import __version__ as __version__

if sys.platform == "win32":
    from . import ws2_32 as _backend

    BACKEND = "ws2_32"
else:
    try:
        from winsock_compat import backend as _backend
    except ModuleNotFoundError as error:  # the Python of a folder that has a clone, outside its virtual environment
        raise ImportError(
            f"{error}: winsock is not installed for {sys.executable}. Activate the virtual environment in which it is "
            "installed, or run `python -m pip install -e .` in the folder of the clone"
        ) from error
    from winsock_compat.backend import FD_CLR as FD_CLR  # the accelerator's
    from winsock_compat.backend import FD_ISSET as FD_ISSET
    from winsock_compat.backend import FD_SET as FD_SET
    from winsock_compat.backend import FD_ZERO as FD_ZERO

    BACKEND = "compat"

# The type checker proves here that the backend has every call with the types of the Protocol.
calls: Winsock = _backend

WSAStartup = calls.WSAStartup
WSACleanup = calls.WSACleanup
WSAGetLastError = calls.WSAGetLastError
WSASetLastError = calls.WSASetLastError
socket = calls.socket
ioctlsocket = calls.ioctlsocket
bind = calls.bind
connect = calls.connect
listen = calls.listen
accept = calls.accept
send = calls.send
recv = calls.recv
sendto = calls.sendto
recvfrom = calls.recvfrom
shutdown = calls.shutdown
closesocket = calls.closesocket
getsockname = calls.getsockname
getpeername = calls.getpeername
setsockopt = calls.setsockopt
getsockopt = calls.getsockopt
select = calls.select
WSAPoll = calls.WSAPoll
htons = calls.htons
ntohs = calls.ntohs
htonl = calls.htonl
ntohl = calls.ntohl
inet_addr = calls.inet_addr
inet_ntoa = calls.inet_ntoa
inet_ntop = calls.inet_ntop
inet_pton = calls.inet_pton
gethostname = calls.gethostname
getaddrinfo = calls.getaddrinfo
freeaddrinfo = calls.freeaddrinfo
getnameinfo = calls.getnameinfo
gethostbyname = calls.gethostbyname


def replace_calls(by: Winsock) -> None:
    """Replaces every call of this package with the method of the same name of `by`, such as a tracer.

    Only modules that import from winsock afterwards get the new functions: a name that was imported earlier still
    refers to the old function. If `by` also has the macro FD_SET, as a tracer has, that is replaced too.
    """
    global calls
    calls = by
    for name in CALLS:
        globals()[name] = getattr(by, name)
    globals()["FD_SET"] = getattr(by, "FD_SET", structures.FD_SET)


for _name in CALLS:
    # The functions of compat's accelerator, which are compiled, have the documentation already.
    if not getattr(_backend, _name).__doc__:
        getattr(_backend, _name).__doc__ = getattr(Winsock, _name).__doc__
del _name

# mypy does not understand a list that is joined from others. Where it finds no __all__ it exports the star imports.
if not typing.TYPE_CHECKING:
    __all__ = ["BACKEND", "CALLS", "Winsock"]
    __all__ += api.CALLS
    __all__ += constants.__all__
    __all__ += errors.__all__
    __all__ += structures.__all__

if os.environ.get("WINSOCK_TRACE"):
    # Imported by name: the tracer is built on this package, which does not depend on it.
    importlib.import_module("winsock.trace").start_by_environment(os.environ)
