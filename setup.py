"""The one part of the build that pyproject.toml can't say: compat's compiled module, where cffi is used at all."""

import sys

from setuptools import setup

setup(cffi_modules=[] if sys.platform == "win32" else ["compat/winsock_compat/build.py:ffibuilder"])
