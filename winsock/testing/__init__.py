"""What test suites of other projects use: a pytest plugin and a scripted peer."""
