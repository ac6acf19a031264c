"""The commands of ``python -m demos copier``: their texts, and how orders are shown."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from demos.__main__ import main
from demos.copier import account_rules, increases
from demos.copier.command_texts import EXPLAIN
from demos.copier.journal import Answer, Journal, OrderSent, StateMark
from demos.copier.memory_file import MemoryFile

# Names of modules' constants that are no rules.
RULES = {
    value
    for module in (account_rules, increases)
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, str) and name not in ("NOW", "WAIT", "NO_WORSE", "HOLD", "FLATTEN")
}


@pytest.mark.parametrize("action", ["explain", "journal", "resume", "check"])
def test_each_help_describes_the_command_and_fits_a_terminal_of_80_columns(action, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["copier", action, "--help"])
    shown = capsys.readouterr().out
    assert [line for line in shown.splitlines() if len(line) > 80] == []
    assert f"python -m demos copier {action} " in shown.partition("\n\n")[2] or action == "check"


def test_explain_describes_every_rule_and_outcome():
    assert len(RULES) > 12
    for word in (*RULES, "join-now", "join-no-worse", "traded", "reduced", "skipped", "unchanged"):
        assert f"\n      {word} " in EXPLAIN or f" {word}\n" in EXPLAIN, word


def test_an_order_is_shown_with_milliseconds_and_one_digit_more_than_its_price_has(tmp_path: Path, capsys):
    path = tmp_path / "copier.sqlite"
    with closing(MemoryFile(path, owner=True)) as file:
        journal = Journal(file)
        theirs = Decimal("1.07123456789012345678")
        mark = StateMark("s", 7, 0)
        order = OrderSent("EURUSD", "EURUSD", mark, 1_800_000_000_123, "follow", Decimal("0.25"), 0, theirs, 1, 2, 3)
        number = journal.sent(order)
        journal.answered(number, Answer(4, 10009, Decimal("0.25"), Decimal("1.07130"), Decimal("1.0713") - theirs, ""))
        number = journal.sent(order._replace(provider_price=None))
        journal.answered(number, Answer(4, 10009, Decimal("0.25"), Decimal("107130.0"), None, ""))
    assert main(["copier", "journal", "--memory", str(path)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(
        "2027-01-15 08:00:00.123 #1 buy 0.25 EURUSD (follow), state 7; lag in ms: change 1, network 2, decision 3, "
        "fill 4; 0.25 at 1.0713, provider 1.071235, slippage 0.000065"
    )
    assert "; 0.25 at 107130, provider unknown; " in second
