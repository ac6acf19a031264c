"""The scenarios of ``python -m demos simulate``, one module each: hosts, programs, invariants and recovery paths."""
