"""What the protocols of all programs share: addresses and code pages."""
