"""The POSIX backend: the calls of `winsock.api` on BSD sockets, with Winsock's values, errors and behaviour.

- calls/: the reference, every call in plain Python
- state/: what Winsock remembers of sockets
- posix/: the operating system, through cffi
- accelerator/: the common case of the most frequent calls in C, where a compiler was available at installation
- backend: all calls in one module, from the accelerator or the reference; this package has the same names

Imports run one way: calls -> state -> posix. accelerator imports all three, and only `backend` imports accelerator.
"""

# First: Python imports the package winsock before its module api, and winsock imports `backend`. In the other order
# winsock would find a `backend` whose import is not finished.
import winsock.api  # noqa: F401 - imported for this effect

from .backend import *  # noqa: F403 - the names in backend.__all__
