"""Copying positions: `provider` publishes an account, `copier` follows it, and the job `signal` runs both."""
