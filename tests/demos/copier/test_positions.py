"""The positions that provider and copier read from the account."""

from __future__ import annotations

from decimal import Decimal

import pytest
from signal_kit import serve, two_positions

from demos.copier import positions
from demos.terminal.runtime.attachment import running


@pytest.fixture
def first_position_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second position is closed while the program reads the positions: it cannot be selected any more."""
    real = positions.PositionGetTicket
    monkeypatch.setattr(positions, "PositionGetTicket", lambda index: real(index) if index == 0 else 0)


@pytest.mark.usefixtures("first_position_only")
def test_a6_a_position_that_cannot_be_selected_is_not_counted() -> None:
    stage = serve(program="provider", account=two_positions())
    with running(stage.chart, "OnTimer"):
        assert positions.GetSymbolLot("EURUSD") == 0.10
        assert positions.SymbolPositions("EURUSD") == [(1, Decimal("0.1"))]
        assert positions.GetSymbolLot("GBPUSD") == 0.0
        assert positions.SymbolPositions("GBPUSD") == []


def test_every_position_of_the_symbol_is_counted() -> None:
    stage = serve(program="provider", account=two_positions())
    with running(stage.chart, "OnTimer"):
        assert positions.GetSymbolLot("GBPUSD") == 0.25
        assert positions.SymbolPositions("GBPUSD") == [(2, Decimal("0.25"))]
