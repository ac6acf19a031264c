"""The part of the build that pyproject.toml cannot declare: the compiled module of compat, except on Windows."""

import sys

from setuptools import setup

setup(cffi_modules=[] if sys.platform == "win32" else ["compat/winsock_compat/build.py:ffibuilder"])
