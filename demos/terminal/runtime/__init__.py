"""The event loop, its clock, programs, commands and log. It knows nothing about charts or accounts."""
