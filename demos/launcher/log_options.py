"""The options of the log file, and the file itself."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TextIO

from demos.launcher import option_types
from demos.terminal.interfaces import Clock, TerminalError
from demos.terminal.runtime.log import Log, log_line
from demos.terminal.runtime.log_file import LogFile, older_files


def add_log_options(group: argparse._ArgumentGroup) -> None:
    """Declare the options."""
    group.add_argument(
        "--log", type=Path, metavar="FILE", help="append it to this file too; a full file becomes FILE.1, and so on"
    )
    group.add_argument(
        "--log-size",
        type=option_types.whole,
        default=10,
        metavar="MB",
        help="the size at which the file is full, in megabytes (default: %(default)s)",
    )
    group.add_argument(
        "--log-files",
        type=option_types.whole,
        default=5,
        metavar="N",
        help="how many full files are kept, the newest ones (default: %(default)s)",
    )


def opened_log(
    clock: Clock, stream: TextIO | None, options: argparse.Namespace, stack: ExitStack, *, limited: bool
) -> Log:
    """The log on a stream, and in the file of --log; ``stack`` closes the file."""
    if options.log is None:
        return Log(clock, stream, limited=limited)
    return Log(clock, stream, limited=limited, file=stack.enter_context(_file(clock, options)).write)


@contextmanager
def _file(clock: Clock, options: argparse.Namespace) -> Iterator[LogFile]:
    """The open file; it gets the error that ends the program, which the command line writes to standard error."""
    with closing(LogFile(clock, options.log, options.log_size, options.log_files)) as file:
        try:
            yield file
        except TerminalError as error:
            file.write(log_line(clock, "terminal", "error", "end", str(error)))
            raise


def log_outputs(options: argparse.Namespace) -> dict[str, Path]:
    """The files of the log, for check_outputs()."""
    if options.log is None:
        return {}
    return {
        "--log": options.log,
        **{f"--log ({path.name})": path for path in older_files(options.log, options.log_files)},
    }
