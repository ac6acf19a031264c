"""When the provider sends nothing, not even a heartbeat: the account cannot be read, or an operator has paused it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from feed_kit import RecordedFeed, stage_with
from signal_kit import Script, Stage, buy, close, dial, read, ready

from demos.provider.service import Service
from demos.provider.shared import PAUSE_SETTING, PAUSED_VALUE
from demos.provider.state_file import StateFile
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


def set_paused(path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Store a pause in the state file, as an operator does. "paused" changes it while the provider runs."""
    file = StateFile(path)
    file.set_setting(PAUSE_SETTING, PAUSED_VALUE)
    file.close()
    given: dict[str, bool] = {}
    stored = Service.is_paused.fget  # type: ignore[attr-defined]  # of a property
    monkeypatch.setattr(Service, "is_paused", property(lambda self: given.get("paused", stored(self))))
    return given


def test_a_paused_provider_suspends_its_feeds_until_it_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "provider.sqlite"
    given = set_paused(path, monkeypatch)
    feed = RecordedFeed()
    stage = stage_with(feed, state=str(path))
    stage.chart.module.Port = 0

    def script() -> Script:
        yield
        buy(stage, "0.50")
        yield
        yield
        assert feed.states == []
        assert feed.suspended >= 3
        given["paused"] = False
        yield
        assert [each.lots for each in feed.states[-1].holdings] == [Decimal("0.5")]
        given["paused"] = True
        count = len(feed.states)
        buy(stage, "0.10")
        yield
        yield
        assert len(feed.states) == count

    assert stage.play(script()) == 0
    assert "nothing is sent to the clients of the plain port, a broker or a proxy" in stage.stream.getvalue()


@pytest.mark.parametrize("fast", [False, True])
def test_a_paused_provider_sends_nothing_at_the_plain_port_until_it_is_resumed(
    fast: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "provider.sqlite"
    given = set_paused(path, monkeypatch)
    stage = Stage("provider", Port=0, fast=fast, repeat=1, state=str(path))
    stage.chart.module.Port = 0

    def script() -> Script:
        yield
        client = dial(port_of_plain(stage))
        yield
        buy(stage, "0.50")
        for _ in range(5):
            yield
        assert not ready(client, 0)
        given["paused"] = False
        yield
        yield
        assert b"EURUSD" in read(client, 32)
        assert stage.record.of("sent")
        close(client)

    assert stage.play(script()) == 0


def port_of_plain(stage: Stage) -> int:
    found = stage.record.of("listening")[0]["port"]
    assert isinstance(found, int)
    return found
