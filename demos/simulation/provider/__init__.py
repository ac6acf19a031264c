"""What the scenario of the provider consists of: its users, operator and rogue peer, and what it checks."""
