"""The account rules by example: joining, following, reducing, flattening, and what each decision says."""

from __future__ import annotations

from decimal import Decimal

from account_kit import Copying


def test_a_position_that_the_provider_opens_is_followed():
    copying = Copying()
    copying.publish()
    copying.observe()
    copying.trade("1", "1.1")
    decision = copying.obey()
    assert (decision.lots, decision.rule, decision.may_increase) == (Decimal(1), "follow", True)
    assert copying.decide().rule == "reached"
