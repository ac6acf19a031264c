"""The network stack of a simulated host, in memory."""
