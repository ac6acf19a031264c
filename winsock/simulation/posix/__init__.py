"""The modules that take the place of posix/ of winsock_compat in a simulated process."""
