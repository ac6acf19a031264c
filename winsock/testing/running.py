"""A script that runs: its thread or process, its address, its end, and the report of a step that has failed."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from winsock.api import Winsock
from winsock.errors import WSAErrorDescript
from winsock.structures import MAKEWORD, WSADATA, sockaddr_in, sockaddr_in6

from .addresses import shown
from .conversation import Conversation
from .execution import Execution, Options
from .steps import Step, text
from .surroundings import Failure, Stopped, Surroundings

__all__ = ["RunningPeer", "start_winsock"]

# In the report; the conversation shows the data.
_LONGEST_STEP = 100


class RunningPeer:
    """A script that was started. The end of a `with` statement finishes it; if the block raises, it is stopped."""

    def __init__(self, script: Sequence[Step], options: Options, surroundings: Surroundings) -> None:
        self._script, self._surroundings = script, surroundings
        self.conversation = Conversation(surroundings.now)
        self._run = Execution(surroundings, self.conversation, options)
        self._name: bytes | None = None
        self._error: BaseException | None = None
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

        Errors: AssertionError if a step has failed; it shows the script and what both sides have sent.
        """
        self._surroundings.join()
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def stop(self) -> None:
        """End the script where it is. A step that has failed before is still reported by finish()."""
        self._surroundings.stop()

    def __enter__(self) -> RunningPeer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # A step that has failed is often the cause of the error in the block: both are shown.
        if kind is not None:
            self.stop()
        self.finish()

    def _open(self) -> None:
        start_winsock(self._run.calls)
        try:
            self._name = self._run.open(self._script)
        except Failure as failure:
            error = self._report(failure)
            self._end()
            raise error from None

    def _execute(self) -> None:
        try:
            self._run.run(self._script)
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

    def _report(self, failure: Failure) -> AssertionError:
        """The error that finish() raises: what has failed, the script, and the conversation."""
        try:
            self._run.take_what_has_arrived()
        except Failure as error:
            self.conversation.note(str(error))
        where = ", ".join(map(_shortened, self._run.position)) or "the peer's start"
        failed = self._run.position[0].partition(",")[0] if self._run.position else ""
        lines = [f"{where}: {failure} ({self.conversation.seconds():.3f} s after the peer's start)", "", "The script:"]
        for number, step in enumerate(self._script, start=1):
            mark = ">" if f"step {number}" == failed else " "
            lines.append(f"  {mark} {number:3} {_shortened(text(step))}")
        lines += ["", "The conversation:", str(self.conversation) or "  nothing was sent or received"]
        return AssertionError("\n".join(lines))


def _shortened(step: str) -> str:
    return step if len(step) <= _LONGEST_STEP else f"{step[: _LONGEST_STEP // 2]} … {step[-_LONGEST_STEP // 2 :]}"


def start_winsock(calls: Winsock) -> None:
    code = calls.WSAStartup(MAKEWORD(2, 2), WSADATA())
    if code:
        raise AssertionError(f"WSAStartup failed: {WSAErrorDescript(code)}")
