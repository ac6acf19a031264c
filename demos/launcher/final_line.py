"""The last line of a process whose standard streams may be closed or broken."""

from __future__ import annotations

import os
import sys


def write_final_line(line: str) -> None:
    """Write a line to standard error, and redirect a stream that cannot be written to the null device.

    Python flushes both streams at exit. A stream that still failed then would add a message and an exit code of its
    own.
    """
    for stream, text in ((sys.stdout, ""), (sys.stderr, line)):
        if stream is None:
            continue
        try:
            stream.write(text)
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
