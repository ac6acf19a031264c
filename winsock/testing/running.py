"""A script that runs: its thread or process, its address, its end, and the report of a step that has failed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from types import TracebackType

from winsock.api import Winsock
from winsock.errors import WSAErrorDescript
from winsock.structures import MAKEWORD, WSADATA, sockaddr_in, sockaddr_in6

from .addresses import shown
from .conversation import Conversation
from .execution import execute
from .lines import calling_lines, indented
from .runs import Options, Run
from .steps import Step, expects, text
from .surroundings import Failure, Stopped, Surroundings, TimeLimitReached

__all__ = ["RunningPeer", "start_winsock"]

# In the report; the conversation shows the data.
_LONGEST_STEP = 100


class RunningPeer:
    """A script that was started. The end of a `with` statement finishes it; if the block raises, it is stopped."""

    def __init__(self, script: Sequence[Step], options: Options, surroundings: Surroundings) -> None:
        # pytest leaves this module out of a traceback: the report points to the line of the test.
        __tracebackhide__ = True
        self._error: BaseException | None = None
        self._script, self._surroundings = script, surroundings
        self.conversation = Conversation(surroundings.now)
        self._run = Run(surroundings, self.conversation, options)
        self._name: bytes | None = None
        self._kill_reported = False
        self._started_at = calling_lines()
        surroundings.start(self._open, self._execute)

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port on which a server listens or a datagram socket receives.

        Errors: ValueError for a client.
        """
        host, _, port = shown(self._sockaddr_bytes()).rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def port(self) -> int:
        """The port of `address`."""
        return self.address[1]

    @property
    def sockaddr(self) -> sockaddr_in | sockaddr_in6:
        """`address` as connect and sendto take it."""
        raw = self._sockaddr_bytes()
        return sockaddr_in.from_buffer_copy(raw) if len(raw) == 16 else sockaddr_in6.from_buffer_copy(raw)

    def _sockaddr_bytes(self) -> bytes:
        if self._name is None:
            raise ValueError("a peer that connects has no address of its own: use the server's")
        return self._name

    @property
    def sent(self) -> bytes:
        """What the peer has sent so far."""
        return self.conversation.all("sent")

    @property
    def received(self) -> bytes:
        """What the peer has received so far."""
        return self.conversation.all("received")

    def finish(self) -> None:
        """Wait for the end of the script.

        Errors: AssertionError if a step has failed, or if the peer was killed, for example by a crash of its simulated
        host, before a step that expects or receives something; it shows the script and what both sides have sent.
        """
        __tracebackhide__ = True
        self._surroundings.join()
        if self._surroundings.killed and not self._kill_reported:
            self._kill_reported = True
            self._error = self._error or self._report_of_kill()
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def stop(self) -> None:
        """End the script where it is. A step that has failed before is still reported by finish()."""
        self._surroundings.stop()

    def __enter__(self) -> RunningPeer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        __tracebackhide__ = True
        # A step that has failed is often the cause of the error in the block: both are shown.
        if kind is not None:
            self.stop()
            # An AssertionError would replace these, and the program would go on.
            if issubclass(kind, (KeyboardInterrupt, SystemExit)):
                self._error = None
                return
        self.finish()

    def __del__(self) -> None:
        # As with a coroutine that is never awaited: a test that forgets the end of a script would pass.
        if self._error is not None:
            text = f"finish() was not called for a peer that has failed: {self._error}"
            warnings.warn(text, RuntimeWarning, stacklevel=1)

    def _open(self) -> None:
        __tracebackhide__ = True
        start_winsock(self._run.calls)
        is_open = False
        try:
            self._name = self._run.open(self._script)
            is_open = True
        except Failure as failure:
            raise self._report(failure) from None
        finally:
            if not is_open:
                self._end()

    def _execute(self) -> None:
        try:
            execute(self._run, self._script)
        except Stopped:
            self.conversation.note("the peer was stopped")
        except Failure as failure:
            self._error = self._report(failure)
        except Exception as error:  # finish() raises it in the test's thread
            self._error = error
        self._end()

    def _end(self) -> None:
        self._run.shut()
        self._run.calls.WSACleanup()

    def _report_of_kill(self) -> AssertionError | None:
        """None if all that was left to do was to send and to wait: a crash in the middle of it may be intended."""
        # A killed process has no sockets, and its calls cannot be made.
        self._run.endpoint = self._run.listener = None
        number = self._run.number
        if not number or not any(map(expects, self._script[number - 1 :])):
            return None
        return self._report(Failure(f"the peer was killed in step {number} of {len(self._script)}"))

    def _report(self, failure: Failure) -> AssertionError:
        """The error that finish() raises: what has failed, the script, and the conversation."""
        try:
            self._run.take_what_has_arrived()
        except Failure as error:
            self.conversation.note(str(error))
        where = ", ".join(map(_shortened, self._run.position)) or "the peer's start"
        limit = f" within the limit of {self._run.options.limit:g} s" if isinstance(failure, TimeLimitReached) else ""
        lines = [f"{where}: {failure}{limit} ({self.conversation.seconds():.3f} s after the peer's start)"]
        lines += [*indented("the peer was started", self._started_at, ""), "", "The script:"]
        for number, step in enumerate(self._script, start=1):
            mark = ">" if number == self._run.number else " "
            lines.append(f"  {mark} {number:3} {_shortened(text(step))}")
        lines += ["", "The conversation:", str(self.conversation) or "  nothing was sent or received"]
        return AssertionError("\n".join(lines))


def _shortened(step: str) -> str:
    return step if len(step) <= _LONGEST_STEP else f"{step[: _LONGEST_STEP // 2]} … {step[-_LONGEST_STEP // 2 :]}"


def start_winsock(calls: Winsock) -> None:
    code = calls.WSAStartup(MAKEWORD(2, 2), WSADATA())
    if code:
        raise AssertionError(f"WSAStartup failed: {WSAErrorDescript(code)}")
