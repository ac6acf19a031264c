"""The provider while the account cannot be read: nothing is sent, not even a heartbeat, and it says so once."""

from __future__ import annotations

from pathlib import Path

import pytest
from signal_kit import Script, Stage

from demos.terminal.paper.account import PaperAccount

pytestmark = pytest.mark.usefixtures("started")


class Unreadable(PaperAccount):
    """A paper account that can be unreadable for a time."""

    readable = True

    @property
    def connected(self) -> bool:
        return self.readable


def test_nothing_is_published_while_the_account_cannot_be_read(tmp_path: Path):
    account = Unreadable()
    # The kit maps Port to the plain port: the subscribers' port is set here.
    stage = Stage("provider", account=account, Port=-1, state=str(tmp_path / "provider.sqlite"))
    stage.chart.module.Port = 0

    def script() -> Script:
        yield
        service = stage.program.service
        assert not service.topic.suspended
        Unreadable.readable = False
        yield
        yield
        assert service.topic.suspended
        Unreadable.readable = True
        yield
        assert not service.topic.suspended

    try:
        assert stage.play(script()) == 0
    finally:
        Unreadable.readable = True
        account.close()
    alerts = [line for line in stage.stream.getvalue().splitlines() if "cannot be published" in line]
    assert len(alerts) == 1
