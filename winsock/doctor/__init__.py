"""One command that checks what a client and a server need of this machine, and MQL structures against Winsock's."""
