"""The facts, one module for each kind of behaviour."""
