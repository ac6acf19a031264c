"""The article's third pair: a tick server, its client, and their protocol."""
