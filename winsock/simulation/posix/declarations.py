"""The numbers of the simulated kernel that cross the seam: Linux's."""

from ..kernel.files import POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, POLLRDHUP

__all__ = [
    "AF_INET6",
    "LINUX",
    "MSG_TRUNC",
    "POLLERR",
    "POLLHUP",
    "POLLIN",
    "POLLNVAL",
    "POLLOUT",
    "POLLPRI",
    "POLLRDHUP",
]

LINUX = True
AF_INET6 = 10
MSG_TRUNC = 0x20
