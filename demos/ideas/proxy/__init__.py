"""A proxy: passes the states of providers, and of clients that publish, on to subscribers, by topic."""
