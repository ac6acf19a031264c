"""The Winsock error for an errno, by the names of the standard module errno."""

import errno

from winsock import errors

# Where the answer depends on the call (EPIPE, ECONNREFUSED on a datagram socket, EADDRINUSE with SO_REUSEADDR …), the
# call decides before it looks here.
_BY_NAME = {
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
_BY_NUMBER = {getattr(errno, name): int(code) for name, code in _BY_NAME.items() if hasattr(errno, name)}


def winsock_error(number: int) -> int:
    """The Winsock error for an errno; WSAEINVAL for an errno that Winsock has no name for."""
    return _BY_NUMBER.get(number, errors.WSAEINVAL)
