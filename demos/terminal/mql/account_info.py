"""Account information. https://www.mql5.com/en/docs/account"""

from __future__ import annotations

from demos.terminal.mql.constants import ACCOUNT_MARGIN_MODE
from demos.terminal.terminal import current_terminal

__all__ = ["AccountInfoInteger"]


def AccountInfoInteger(property_id: int) -> int:
    """ACCOUNT_MARGIN_MODE: an ACCOUNT_MARGIN_MODE_*, which says whether the account nets or hedges positions.

    Errors: ValueError for another property.
    """
    if property_id != ACCOUNT_MARGIN_MODE:
        raise ValueError(f"no integer property {property_id} of an account")
    return current_terminal().account.margin_mode
