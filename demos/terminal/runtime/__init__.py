"""The event loop, its clock, programs, commands, files and log. It knows nothing about charts, accounts or markets."""
