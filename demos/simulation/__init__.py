"""The programs in a simulated network: scenarios, faults, and what must be true after them."""
