"""Tester agents: a coordinator splits an optimisation into tasks, agents calculate them; and the same with dask."""
