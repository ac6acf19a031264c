"""The signal provider: its users, its protocol and its program."""
