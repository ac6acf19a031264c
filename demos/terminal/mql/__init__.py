"""The functions and constants that a program imports, as from an MQL header."""
