"""Puts a reader's copy of the article's listings next to the study programs."""
