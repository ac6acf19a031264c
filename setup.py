"""The parts of the build that pyproject.toml cannot declare: the two compiled modules of compat, except on Windows, and
what an editable installation consists of.

Both modules are optional: without a C compiler the package installs too. `WINSOCK_COMPAT_ACCELERATOR=0` in the
environment of the build leaves the accelerator out, so that the reference can be tested in cffi API mode.
"""

import os
import runpy
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.editable_wheel import _StaticPth, editable_wheel

HERE = Path(__file__).parent


def accelerator() -> "list[Extension]":
    """The accelerator, which knows the layouts of 64-bit Linux."""
    wanted = os.environ.get("WINSOCK_COMPAT_ACCELERATOR", "1") != "0"
    if not wanted or sys.platform != "linux" or sys.maxsize <= 2**32 or sys.implementation.name != "cpython":
        return []
    return [
        Extension(
            "winsock_compat._accelerator",
            ["compat/winsock_compat/accelerator/accelerator.c"],
            define_macros=runpy.run_path(str(HERE / "compat/winsock_compat/accelerator/macros.py"))["macros"](),
            optional=True,
        )
    ]


class FreshBuildExt(build_ext):  # type: ignore[misc]  # setuptools is not typed
    """Builds each module anew. If that fails, no module of an earlier build is left that may not fit the sources."""

    def build_extension(self, ext: Extension) -> None:
        name = self.get_ext_filename(ext.name)
        Path(self.build_lib, name).unlink(missing_ok=True)
        if self.editable_mode:
            (HERE / "compat" / name).unlink(missing_ok=True)
        super().build_extension(ext)


class StaticEditableWheel(editable_wheel):  # type: ignore[misc]  # setuptools is not typed
    """An editable installation that adds two folders of the clone to sys.path, in a .pth file.

    For packages in two folders setuptools installs an import hook instead. Type checkers do not run import hooks. And
    Python asks the hook last: a program started in the parent folder of a clone named `winsock` would get that folder
    as a namespace package. A package on sys.path takes precedence over a namespace package.
    """

    def _select_strategy(self, name: str, tag: str, build_lib: object) -> object:
        return _StaticPth(self.distribution, name, [HERE, HERE / "compat"])


setup(
    cmdclass={"build_ext": FreshBuildExt, "editable_wheel": StaticEditableWheel},
    cffi_modules=[] if sys.platform == "win32" else ["compat/winsock_compat/build.py:ffibuilder"],
    ext_modules=accelerator(),
)
