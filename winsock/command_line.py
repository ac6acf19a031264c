"""What the command lines of the project have in common: an output that can fail, and text that is not trusted.

A reader such as `head` closes the pipe when it has read enough. On POSIX the next write then raises BrokenPipeError, on
Windows an OSError with EINVAL. Python writes the rest of its buffer at exit, where such an error becomes a message and
the exit code 120. So a command line flushes its output itself, and redirects a stream that failed to the null device.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from errno import EINVAL
from pathlib import Path

__all__ = ["INTERRUPTED", "UNWRITABLE", "is_same_file", "printable", "run_command", "write_final_line", "write_output"]

# The exit code if the output cannot be written for another reason than a reader that has read enough.
UNWRITABLE = 2
# The exit code after Ctrl-C: that of a shell, 128 and the number of the signal.
INTERRUPTED = 130


def run_command(
    prog: str, run: Callable[[], int | None], *, unwritable: int = UNWRITABLE, reader_may_stop: bool = True
) -> int:
    """Runs a command line, writes its output completely, and returns its exit code.

    If the reader of standard output has closed the pipe, the command ends silently with 0, unless `reader_may_stop` is
    false. If standard output cannot be written, that is one line on standard error and the exit code `unwritable`.
    Ctrl-C is one line on standard error and the exit code `INTERRUPTED`.

    Errors: every exception of `run`, except an OSError without a file name: that is the error of a standard stream.
    """
    for stream in (sys.stdout, sys.stderr):
        # The terminal's code page may lack a character of a name: print it escaped instead of failing.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            return run() or 0
        finally:
            # After --help too, which ends with SystemExit.
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        if error.filename is not None:
            raise
        if reader_may_stop and _reader_stopped(error):
            write_final_line("")
            return 0
        write_final_line(f"{prog}: error: standard output cannot be written: {error.strerror}\n")
        return unwritable
    except KeyboardInterrupt:
        write_final_line(f"{prog}: interrupted\n")
        return INTERRUPTED


def write_output(text: str) -> None:
    """Writes text and a line end to standard output; a reader that has closed the pipe is not an error.

    Errors: OSError if standard output cannot be written for another reason.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError as error:
        if not _reader_stopped(error):
            raise
        write_final_line("")


def _reader_stopped(error: OSError) -> bool:
    return isinstance(error, BrokenPipeError) or (sys.platform == "win32" and error.errno == EINVAL)


def write_final_line(line: str) -> None:
    """Writes a line to standard error, and redirects a stream that cannot be written to the null device.

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


def is_same_file(one: str | Path, other: str | Path) -> bool:
    """Whether two paths are the same regular file, also through links; a command must not write to what it reads.

    Paths of which one does not exist are the same if they lead to the same place.
    """
    try:
        # Everything may be written to a device such as /dev/null.
        return os.path.samefile(one, other) and os.path.isfile(one)
    except OSError:
        return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))
    except ValueError:  # a path with a NUL
        return False


def printable(text: str, keep: str = "") -> str:
    """Text with each character that is not printable, and not in `keep`, as an escape sequence such as \\x1b.

    Text from a file or from another program cannot move the cursor of a terminal, change its colors or start a line.
    """
    return "".join(
        character if character.isprintable() or character in keep else character.encode("unicode_escape").decode()
        for character in text
    )
