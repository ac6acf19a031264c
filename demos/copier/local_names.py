"""The local names of the provider's symbols: which ones the terminal has, and positions that the options have left.

A symbol that the terminal does not have is reported, and gets a decision that says so. So it is in the journal, and the
acknowledgement shows the provider that its position is not copied. It is looked for again after each login.

The names are stored. When --map, --suffix or --only gives a symbol another name while a position is open, nothing
follows the position any more: that is reported at each start.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from demos.copier.account_values import Decision
from demos.copier.rules import lots_text
from demos.copier.targets import Targets
from demos.provider.messages import Snapshot
from demos.terminal import Alert, Event, Print, SymbolSelect

# The name of the rule.
NO_SYMBOL = "no-symbol"


class LocalNames:
    """``names`` are the local names of the provider's symbols, ``symbols`` the other way round.

    ``absent`` are those of the provider's symbols that the terminal does not have, with the local names.
    """

    def __init__(self, targets: Targets, stored: Mapping[str, Any]) -> None:
        """Continue with what to_dict() returned."""
        self.names: dict[str, str] = {}
        self.symbols: dict[str, str] = {}
        self.absent: dict[str, str] = {}
        self._targets = targets
        self._stored = {local: str(symbol) for local, symbol in stored.items()}
        # The local names that the terminal did not have since the last login.
        self._missing: set[str] = set()
        self._compared = False

    def to_dict(self) -> dict[str, str]:
        """The provider's symbols by local name, as JSON values."""
        return {**self._stored, **self.symbols}

    def look_again(self) -> None:
        """After a login: the terminal may have further symbols."""
        self._missing.clear()

    def find(self, symbol: str) -> None:
        """Find the local name of a provider's symbol, and have the market quote it."""
        if symbol in self.names:
            return
        local = self._targets.local_name(symbol)
        if not local or local in self._missing:
            return
        if SymbolSelect(local, True):
            self.names[symbol], self.symbols[local] = local, symbol
            self.absent.pop(symbol, None)
            return
        self._missing.add(local)
        text = f"{symbol} is not copied: the terminal has no symbol {local}; --map gives it another name"
        Print(f"-{text}")
        if symbol not in self.absent:
            self.absent[symbol] = local
            Alert(f"a position of the provider is not copied: the terminal has no symbol {local} ({symbol})")
            Event("alarm", name="no-symbol", text=text)

    def absent_decisions(self, state: Snapshot | None) -> dict[str, tuple[Decimal, Decision]]:
        """The provider's lots and a decision for each symbol that the terminal does not have."""
        found = {}
        for symbol, local in self.absent.items():
            lots = sum((each.lots for each in (state.positions if state else ()) if each.symbol == symbol), Decimal(0))
            text = f"not copied: the terminal has no symbol {local}; --map gives it another name"
            found[symbol] = lots, Decision(symbol, local, self._targets.rules.lots(lots), NO_SYMBOL, text)
        return found

    def report_left(self, positions: Mapping[str, Decimal]) -> None:
        """Alert once each position that has another local name, or is not copied, since the options have changed."""
        if self._compared:
            return
        self._compared = True
        for local, symbol in list(self._stored.items()):
            now = self._targets.local_name(symbol)
            if now == local:
                continue
            lots = positions.get(local, Decimal(0))
            if not lots:
                del self._stored[local]
                continue
            change = f"{symbol} is {now} here now" if now else f"{symbol} is not copied any more"
            position = f"the position of {lots_text(lots)} lots in {local}"
            options = "(--map, --suffix, --only); close it, or restore the options"
            Alert(f"nothing follows {position} any more: {change} {options}")
            Event("alarm", name="left", text=local)
