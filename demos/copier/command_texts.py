"""The descriptions of the commands of ``python -m demos copier``."""

from __future__ import annotations

DESCRIPTION = """
    Show what a copier that follows a provider's account has decided and traded,
    let it continue after an alarm, and check the file of its options. The copier
    may be running.
"""
EXAMPLES = """
    examples:
      python -m demos copier explain EURUSD
          for each state of the provider: traded, reduced or skipped, and the rule
      python -m demos copier journal --last 20
          the last 20 orders with their lag in parts and their slippage
      python -m demos copier resume
          after an alarm: trust the provider's present state, and copy again
      python -m demos copier check --config copier.toml
          whether the file of a copier's options is right
"""
EXPLAIN = """
    Show what the copier has decided for a symbol, one line for each state of the
    provider. States in a row with the same decision share a line. Times are UTC,
    by the provider's clock. A line has the outcome, three positions in lots (of
    the provider, the target, of the copier), the rule and the reason.

    outcomes:
      traded     orders have opened or increased the position, or turned it around
      reduced    orders have reduced or closed the position
      skipped    the position is not the target, or has none
      unchanged  the position is the target already

    rules that let a position increase:
      follow         follows the provider's change
      join-now       first contact with the symbol, with --join now
      join-no-worse  first contact, with --join no-worse

    rules that do not:
      join-wait      first contact: waits until the provider is flat or reverses
      join-no-worse  first contact: the price is worse than the provider's average
      deviation      the price is worse than the provider's by more than
                     --maxdeviation
      late           the provider's change is older than --maxage
      unconfirmed    the provider's state was not confirmed within --maxage
      not-live       not connected, or the present state has not arrived
      no-price       there is no price of the symbol here
      changed-here   the position was changed here, by its owner or a stop loss
      hidden         the login does not show the symbol any more
      ended          the provider has ended the login
      close-only     the same, with --on-end close-only, until `copier resume`
      stopped        the equity floor was reached: until `copier resume`
      alarm          an alarm has stopped the copier: until `copier resume`
      limit          a limit such as --maxlots, or --reconcile stop, allows no
                     increase
      halted         the file of --killfile exists: nothing is traded
      no-symbol      the terminal has no such symbol

    other rules:
      reached        the position is the target
      reduce         the target is smaller than the position
      below-minimum  the target is less than the smallest volume
      flatten        all positions are closed: equity floor, --stale or --on-end
      no-ratio       --scale has no balance or equity to divide by
      paused         the broker has rejected several orders: the symbol waits
"""
EXPLAIN_EXAMPLES = """examples:
  python -m demos copier explain EURUSD
  python -m demos copier explain EURUSD --last 5 --memory copier.sqlite
"""
JOURNAL = """
    Show the orders, one line each. Times are UTC, by this computer's clock.
    A line has the order, its rule (see `copier explain --help`), the provider's
    state that has caused it, the lag, the fill and the answer.

    parts of the lag, in milliseconds:
      change    from the change of the provider's position until the provider sent
                the state
      network   until the copier received it
      decision  until the order was sent
      fill      until its answer

    The slippage is how much worse the price of the fill was than the provider's
    average price, in the currency of the price; below 0: better. Only orders that
    open or increase a position have one.
"""
JOURNAL_EXAMPLES = """examples:
  python -m demos copier journal --last 20
  python -m demos copier journal EURUSD --json
"""
RESUME = """
    Let the copier continue after an alarm: it trusts the provider's present state,
    whatever its number, and positions may increase again. This ends
      - an alarm that has stopped following, such as an older state
      - the stop by --equity-floor
      - the state close-only of --on-end
      - the pauses of symbols after rejected orders
    It does not end a limit of the copier (--maxlots, --maxtotal, --maxorders,
    --maxloss, --killfile): these end with a restart. A copier that is not running
    continues when it starts.
"""
RESUME_EXAMPLES = """examples:
  python -m demos copier resume
  python -m demos copier resume --memory copier.sqlite
"""
CHECK = """
    Check the file of a copier's options (`python -m demos run copier --config
    FILE`) without starting it: names and values, the URL, what verifies the
    server, the login's file and the memory. Each problem is one line. The exit
    code is 2 if there is one that is not a warning, else 0.
"""
