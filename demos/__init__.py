"""The article's programs, modules driven by a terminal's events: ``python -m demos`` runs them from a checkout."""
