"""The reference: every call of `winsock.api`, complete, in plain Python on top of state/ and posix/."""
