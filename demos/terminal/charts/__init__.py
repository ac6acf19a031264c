"""Charts in memory: their symbols and periods, templates, bars, commands and pictures."""
