"""The article's first pair: a template server, its client, and their protocol."""
