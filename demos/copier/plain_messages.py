"""The messages of the plain protocol: what the copier takes from a connection, and a server that has become silent."""

from __future__ import annotations

from demos.copier.connection import ServerConnection
from demos.copier.floods import EventLimit
from demos.copier.moments import Moment
from demos.copier.targets import Targets
from demos.signal.protocol import Signal, Unreadable
from demos.terminal import Alert, Event, GetTickCount64, Print, printf

# The positions logged in one event.
MOST_LINES = 20


class PlainMessages:
    """Reads messages, and sets the targets from them."""

    def __init__(self, silence: int) -> None:
        """``silence``: the seconds after which a connected server without a message is reported; 0: never."""
        self._silence = silence
        self._received = EventLimit()
        # The messages of the present connection, and the time of the last one of all connections.
        self._messages = 0
        self._heard_at = 0
        self._silent = False

    def Connected(self) -> None:
        """A connection was made. The silence continues when the one before it has brought no message."""
        if self._messages or not self._heard_at:
            self._heard_at = GetTickCount64()
        self._messages = 0

    def CheckSilence(self) -> None:
        """Report once that a connected server has been silent for too long."""
        if self._silence and not self._silent and GetTickCount64() - self._heard_at >= self._silence * 1000:
            self._silent = True
            Event("silent", seconds=self._silence)
            Alert(f"nothing heard for {self._silence} s; an original server is silent while nothing changes")

    def CheckMessage(self, connection: ServerConnection, targets: Targets, event: Moment) -> None:
        """Set the target of each symbol from its latest message."""
        latest: dict[str, Signal] = {}
        unreadable: list[Unreadable] = []
        while pos := self.FindNextPos(connection, event):
            if isinstance(pos, Unreadable):
                unreadable.append(pos)
            else:
                latest.pop(pos.symbol, None)
                latest[pos.symbol] = pos
        if unreadable:
            text, reason = unreadable[0]
            printf("-wrong pos info: %s (%s; number of such messages: %d)", text, reason, len(unreadable))
        for number, (smb, pos) in enumerate(latest.items()):
            if number < MOST_LINES:
                printf("server position: %s|%s", smb, pos.lots)
            targets.take(smb, pos.lots, event)
        if latest:
            self._heard()
            connection.MessageTaken()
        if len(latest) > MOST_LINES:
            printf("server position: %d further symbols", len(latest) - MOST_LINES)

    def FindNextPos(self, connection: ServerConnection, event: Moment) -> Signal | Unreadable | None:
        """The next received message, readable or not; None when there is none."""
        pos = connection.msg.next()
        if isinstance(pos, Signal):
            self._messages += 1
            if self._received.allows(event.ms):
                port, number = connection.local_port, self._messages
                Event("received", port=port, number=number, symbol=pos.symbol, lots=str(pos.lots))
        return pos

    def _heard(self) -> None:
        """Note that the server has sent a valid message. Other bytes are no sign of a working server."""
        now = GetTickCount64()
        if self._silent:
            self._silent = False
            Event("heard")
            Print(f"the server is heard again after {(now - self._heard_at) // 1000} s")
        self._heard_at = now
