"""Records the calls with which a test starts and stops Winsock, and opens and closes sockets.

A test module and the program that it tests have usually imported these functions long before. So it is not enough to
replace them in `winsock`: each module that is loaded, and holds one of them as a global name, gets the recording
function under that name, and the original one back at the end. The backend's own modules keep theirs. This works alike
for compiled functions of the accelerator, the reference and ws2_32, and costs nothing outside of such a test. A fake
that a test has put in the place of a function stays there.

There is one recording function for each call, and it only calls the original one while nothing is recorded. So it does
no harm where a test keeps it longer: pytest's monkeypatch, for example, may put it back after the recording has ended.
The next recording finds it there, and the end of that one removes it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import winsock
from winsock.api import Winsock
from winsock.constants import INVALID_SOCKET

from .lines import calling_lines
from .own_sockets import original_calls

__all__ = ["RecordedCall", "Recorder"]

_OWN_PACKAGES = ("winsock", "winsock_compat")


class RecordedCall(NamedTuple):
    """A call of the test, and the lines that lead to it, the innermost first."""

    call: str
    lines: list[str]


class Recorder:
    """The calls of a test, recorded from `install` to `remove`. Several can record at the same time."""

    def __init__(self) -> None:
        # Those before this recording. They are those of an outer recording, if there is one.
        self.calls: Winsock = winsock.calls
        self.original_calls = original_calls(winsock.calls)
        self.openings: dict[int, RecordedCall] = {}
        # Successful calls of WSAStartup without their WSACleanup, or the other way round.
        self.unmatched: list[RecordedCall] = []
        self._lock = threading.Lock()

    def install(self) -> None:
        _recorders.append(self)
        _replace_in_modules(_replacements(self.original_calls))

    def remove(self) -> None:
        """Restore the functions, also in modules that were loaded since then."""
        _recorders.remove(self)
        if not _recorders:
            _replace_in_modules([(new, old) for old, new in _replacements(self.original_calls)])

    def match(self, call: RecordedCall) -> None:
        with self._lock:
            if self.unmatched and self.unmatched[-1].call != call.call:
                self.unmatched.pop()
            else:
                self.unmatched.append(call)


_recorders: list[Recorder] = []


def _calls() -> Winsock:
    """The original calls: those of the recording, also while winsock's are replaced in the middle of it."""
    recorders = list(_recorders)
    return recorders[-1].original_calls if recorders else original_calls(winsock.calls)


def _startup(*args: Any, **kwargs: Any) -> int:
    code = _calls().WSAStartup(*args, **kwargs)
    if code == 0:
        _match("WSAStartup")
    return code


def _cleanup() -> int:
    result = _calls().WSACleanup()
    if result == 0:
        _match("WSACleanup")
    return result


def _match(call: str) -> None:
    recorded = RecordedCall(call, calling_lines())
    for recorder in list(_recorders):
        recorder.match(recorded)


def _socket(*args: Any, **kwargs: Any) -> int:
    return _opened("socket", _calls().socket(*args, **kwargs))


def _accept(*args: Any, **kwargs: Any) -> int:
    return _opened("accept", _calls().accept(*args, **kwargs))


def _opened(call: str, s: int) -> int:
    if s != INVALID_SOCKET:
        recorded = RecordedCall(call, calling_lines())
        for recorder in list(_recorders):
            recorder.openings[s] = recorded
    return s


def _closesocket(*args: Any, **kwargs: Any) -> int:
    result = _calls().closesocket(*args, **kwargs)
    if result == 0:
        handle = int(args[0] if args else kwargs["s"])
        for recorder in list(_recorders):
            recorder.openings.pop(handle, None)
    return result


_RECORDING: dict[str, Callable[..., Any]] = {
    "WSAStartup": _startup,
    "WSACleanup": _cleanup,
    "socket": _socket,
    "accept": _accept,
    "closesocket": _closesocket,
}


class _RecordingCalls:
    """Stands for the backend: it has the recording functions, and everything else is the backend's."""

    original_calls: Winsock

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original_calls, name)


_recording_calls = _RecordingCalls()
vars(_recording_calls).update(_RECORDING)


def _replacements(calls: Winsock) -> list[tuple[object, object]]:
    """The originals with their recording functions."""
    _recording_calls.original_calls = calls
    return [(calls, _recording_calls), *((getattr(calls, name), function) for name, function in _RECORDING.items())]


def _replace_in_modules(replacements: list[tuple[object, object]]) -> None:
    """Replace each global name of a loaded module that refers to one of these objects."""
    new = {id(old): by for old, by in replacements}
    for module_name, module in list(sys.modules.items()):
        own = module_name.partition(".")[0] in _OWN_PACKAGES and module_name != "winsock"
        # Not isinstance: cffi's objects for libraries, which are entries too, name ModuleType as their class.
        if own or not issubclass(type(module), ModuleType):
            continue
        # Not vars(module), which would load a module that importlib.util.LazyLoader has only prepared.
        names: dict[str, Any] = vars(ModuleType)["__dict__"].__get__(module)
        # Most modules have none of them, and a large program has thousands of modules.
        if new.keys().isdisjoint(map(id, list(names.values()))):
            continue
        for name, value in list(names.items()):
            if id(value) in new:
                names[name] = new[id(value)]
