"""The article's second pair: a signal server, its client, and their protocol."""
