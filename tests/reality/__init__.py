"""Checks the simulation against a real network: the same programs, faults and invariants in network namespaces."""
