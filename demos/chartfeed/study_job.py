"""``python -m demos tpl --study``: the article's server and client in the job.

The article's programs write no events: the job reads their log lines. The server saves its template after a change of
the chart, the first one of each timer period: so the job makes one change in a period.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from demos.chartfeed.job import SERVER, TplJob
from demos.chartfeed.server_commands import opening_commands
from demos.launcher.children import Child
from demos.launcher.log_lines import listening_port
from demos.launcher.runner import Runner
from demos.terminal.interfaces import ProgramError

_STARTING = 30.0

_ANSWER = re.compile(r"(done|error): ")
_RECEIVED = re.compile(r" receive (\d+) bytes$")


class StudyTplJob(TplJob):
    """One transfer with the article's programs."""

    server_program = "tpl_server"
    client_program = "tpl_client"
    answers = 0

    def prepare(self, folder: Path, stack: ExitStack) -> None:
        """See Job."""
        if self.options.duration is not None:
            raise ProgramError("--duration cannot be used with --study: tpl_client makes one transfer")
        super().prepare(folder, stack)

    def prepare_chart(self, runner: Runner) -> None:
        """See TplJob."""
        late = "the server did not begin to listen in time"
        runner.wait_until(lambda: self.tally.port != 0, _STARTING, late, code=3, starting=True)
        period = 2 * self.options.timer_ms / 1000
        for number, command in enumerate(opening_commands(self.chart, self.digits), 1):
            runner.send_command(SERVER, command)
            late = f"the server did not answer the command {command!r}"
            runner.wait_until(partial(self._has_answers, number), _STARTING, late, starting=True)
            runner.wait_until(lambda: False, period)

    def client_inputs(self) -> list[str]:
        """The article's client has no inputs but Host and Port."""
        return []

    def take_line(self, child: Child, text: str) -> None:
        """See Job."""
        received = _RECEIVED.search(text)
        if child.name == SERVER:
            self.tally.port = listening_port(text) or self.tally.port
            self.tally.made += "Create TPL" in text
            self.answers += bool(_ANSWER.match(text))
        elif received:
            self.tally.applied += 1
            self.tally.bytes = int(received[1])

    def take_event(self, child: Child, event: Mapping[str, Any]) -> None:
        """See Job. Only the terminals write events, and none of them is about a template."""

    def _has_answers(self, count: int) -> bool:
        return self.answers >= count
