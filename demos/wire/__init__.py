"""What the protocols of all programs share: addresses, ports and code pages."""
