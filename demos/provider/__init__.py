"""The signal provider: its wire protocol, the states that it publishes, and how a subscriber follows them."""
