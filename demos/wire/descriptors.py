"""How many files and sockets the process may open. On Windows there is no such limit."""

from __future__ import annotations

import sys

# What a macOS process can have when its hard limit is unlimited.
_OPEN_MAX = 10_240

if sys.platform == "win32":

    def present_limit() -> int | None:
        """The limit of open files and sockets; None: no limit."""
        return None

    def raise_limit() -> int | None:
        """The limit of open files and sockets, raised as far as this user may; None: no limit."""
        return None

else:
    import resource
    from contextlib import suppress

    def present_limit() -> int | None:
        """The limit of open files and sockets; None: no limit."""
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return None if soft == resource.RLIM_INFINITY else soft

    def raise_limit() -> int | None:
        """The limit of open files and sockets, raised as far as this user may; None: no limit."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        for wanted in (hard, _OPEN_MAX):
            if soft != resource.RLIM_INFINITY and (wanted == resource.RLIM_INFINITY or wanted > soft):
                # macOS refuses an unlimited number, and numbers above its own limit.
                with suppress(ValueError, OSError):
                    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
                    break
        return present_limit()
