"""The stop loss of the provider's position as one of the own position.

It is the provider's whole stop loss (provider_changes.whole_stop), rounded to the own point. It must be below the bid
for a buy and above the ask for a sell, as a broker demands.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from demos.copier.account_memory import Followed
from demos.copier.account_values import AccountOptions, OwnSymbol
from demos.provider.fields import decimal_text


def stop_loss(
    options: AccountOptions, followed: Followed, own: OwnSymbol, target: Decimal
) -> tuple[Decimal | None, str]:
    """The stop loss for a position on the target's side, or None; and why the present one must be left, or ""."""
    if not options.stops or target == 0 or followed.stop is None:
        return None, ""
    if options.reverse:
        return None, "a reversed position cannot have the provider's stop loss, which is on the other side"
    if own.point <= 0 or own.bid <= 0 or own.ask <= 0:
        return None, f"there is no price of {own.name} to compare the provider's stop loss with"
    price = (followed.stop / own.point).to_integral_value(ROUND_HALF_EVEN) * own.point
    market, side = (own.bid, "below the bid") if target > 0 else (own.ask, "above the ask")
    if (price - market) * target >= 0:
        return None, f"the provider's stop loss {decimal_text(price)} is not {side} {decimal_text(market)}"
    return price, ""
