"""The embedded market and account: replayed or random ticks, and positions in an SQLite file."""
