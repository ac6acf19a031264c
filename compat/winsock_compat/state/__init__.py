"""What Winsock remembers and a kernel does not: socket states, handles, waits, bind rules, the last error."""
