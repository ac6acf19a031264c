"""The demos on a simulated network: scenarios, faults, invariants, and the command that runs them."""
