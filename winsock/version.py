"""The version of this package; semantic versioning of the names and results that the README promises."""

__version__ = "0.1.0"
