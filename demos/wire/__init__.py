"""What the programs share: addresses, ports, code pages, and how the product programs listen and connect."""
