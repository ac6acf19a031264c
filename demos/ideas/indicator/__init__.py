"""Indicator feed: a server calculates indicators on its chart, and clients draw the values on theirs."""
