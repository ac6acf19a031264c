"""A network, hosts and a clock in memory, behind the calls of winsock: see notes/simulation.md."""
