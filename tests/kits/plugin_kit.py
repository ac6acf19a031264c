"""Runs pytest with the project's plugin in the process of a test."""

from __future__ import annotations

from importlib.metadata import MetadataPathFinder
from inspect import ismethod

import pytest


def run_with_plugin(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Runs pytest in the folder of `pytester`, with winsock_pytest and no other plugin."""
    with pytest.MonkeyPatch.context() as patch:
        # So that a run has the same plugins wherever the project is installed; on Wine it is not.
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        if not ismethod(MetadataPathFinder.invalidate_caches):
            # On Wine the standard library is of an older release than the interpreter, which needs a class method.
            patch.setattr(MetadataPathFinder, "invalidate_caches", classmethod(lambda cls: None))
        fixed = ("-p", "winsock_pytest", "-W", "error", "--strict-markers")
        return pytester.runpytest_inprocess(*fixed, *arguments, no_reraise_ctrlc=True)
