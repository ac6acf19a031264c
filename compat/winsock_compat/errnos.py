"""The thread's last error, and the host's errno as a Winsock error (by the names of the standard library)."""

import errno
import threading

from winsock import errors
from winsock.arguments import as_int
from winsock.constants import INVALID_SOCKET, SOCKET_ERROR

from .libc import ffi

# Those whose answer depends on the call (EPIPE, ECONNREFUSED on a datagram socket, EADDRINUSE with SO_REUSEADDR …) are
# decided by the call before it looks here.
_WINSOCK = {
    "EINTR": errors.WSAEINTR,
    "EBADF": errors.WSAENOTSOCK,
    "EACCES": errors.WSAEACCES,
    "EPERM": errors.WSAEACCES,
    "EFAULT": errors.WSAEFAULT,
    "EINVAL": errors.WSAEINVAL,
    "EMFILE": errors.WSAEMFILE,
    "ENFILE": errors.WSAEMFILE,
    "EAGAIN": errors.WSAEWOULDBLOCK,
    "EWOULDBLOCK": errors.WSAEWOULDBLOCK,
    "EINPROGRESS": errors.WSAEWOULDBLOCK,
    "EALREADY": errors.WSAEALREADY,
    "ENOTSOCK": errors.WSAENOTSOCK,
    "EDESTADDRREQ": errors.WSAEDESTADDRREQ,
    "EMSGSIZE": errors.WSAEMSGSIZE,
    "EPROTOTYPE": errors.WSAEPROTOTYPE,
    "ENOPROTOOPT": errors.WSAENOPROTOOPT,
    "EPROTONOSUPPORT": errors.WSAEPROTONOSUPPORT,
    "ESOCKTNOSUPPORT": errors.WSAESOCKTNOSUPPORT,
    "EOPNOTSUPP": errors.WSAEOPNOTSUPP,
    "EPFNOSUPPORT": errors.WSAEPFNOSUPPORT,
    "EAFNOSUPPORT": errors.WSAEAFNOSUPPORT,
    "EADDRINUSE": errors.WSAEADDRINUSE,
    "EADDRNOTAVAIL": errors.WSAEADDRNOTAVAIL,
    "ENODEV": errors.WSAEADDRNOTAVAIL,
    "ENETDOWN": errors.WSAENETDOWN,
    "ENETUNREACH": errors.WSAENETUNREACH,
    "ENETRESET": errors.WSAENETRESET,
    "ECONNABORTED": errors.WSAECONNABORTED,
    "ECONNRESET": errors.WSAECONNRESET,
    "EPIPE": errors.WSAECONNRESET,
    "ENOBUFS": errors.WSAENOBUFS,
    "ENOMEM": errors.WSAENOBUFS,
    "EISCONN": errors.WSAEISCONN,
    "ENOTCONN": errors.WSAENOTCONN,
    "ESHUTDOWN": errors.WSAESHUTDOWN,
    "ETOOMANYREFS": errors.WSAETOOMANYREFS,
    "ETIMEDOUT": errors.WSAETIMEDOUT,
    "ECONNREFUSED": errors.WSAECONNREFUSED,
    "ELOOP": errors.WSAELOOP,
    "ENAMETOOLONG": errors.WSAENAMETOOLONG,
    "EHOSTDOWN": errors.WSAEHOSTDOWN,
    "EHOSTUNREACH": errors.WSAEHOSTUNREACH,
    "ENOTEMPTY": errors.WSAENOTEMPTY,
    "EUSERS": errors.WSAEUSERS,
    "EDQUOT": errors.WSAEDQUOT,
    "ESTALE": errors.WSAESTALE,
    "EREMOTE": errors.WSAEREMOTE,
}
_BY_ERRNO = {getattr(errno, name): int(code) for name, code in _WINSOCK.items() if hasattr(errno, name)}


class _LastError(threading.local):
    code = 0


last_error = _LastError()


def fail(code: int) -> int:
    """Sets the thread's last error; gives SOCKET_ERROR, for the call to return."""
    last_error.code = code
    return SOCKET_ERROR


def invalid(code: int) -> int:
    """As fail, for the calls that give a SOCKET: INVALID_SOCKET."""
    last_error.code = code
    return INVALID_SOCKET


def translated(number: int) -> int:
    """The Winsock error for an errno; WSAEINVAL for one that Winsock has no name for."""
    return _BY_ERRNO.get(number, errors.WSAEINVAL)


def fail_by_errno() -> int:
    return fail(translated(ffi.errno))


def WSAGetLastError() -> int:
    return last_error.code


def WSASetLastError(iError: int) -> None:
    last_error.code = as_int(iError)
