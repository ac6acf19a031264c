"""The messages between provider and subscriber as values. notes/provider.md describes each of them.

Decimal numbers are exact. Times are milliseconds since 1970 UTC of the server's clock. A sequence number (seq) is an
integer from 1. A field that is None is not sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar, TypeAlias

VERSION = 1


@dataclass(frozen=True)
class Hello:
    """The server's first message. ``stream`` names this run of the provider: it changes whenever it starts."""

    type: ClassVar[str] = "hello"
    version: int
    server: str
    stream: str
    heartbeat_ms: int
    time: int


@dataclass(frozen=True)
class Known:
    """The newest state that the subscriber has accepted."""

    stream: str
    seq: int


@dataclass(frozen=True)
class Login:
    """The client's first message: either ``password`` or ``token``; ``symbols``: None for all that are visible.

    ``client`` is the client program's name and version, for the operator. ``steady``: true for heartbeats also between
    states, for a proxy. ``publish``: true to publish the topic instead of subscribing to it.
    """

    type: ClassVar[str] = "login"
    version: int
    login: str
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    symbols: tuple[str, ...] | None = None
    known: Known | None = None
    client: str | None = None
    steady: bool | None = None
    publish: bool | None = None


@dataclass(frozen=True)
class AccountKind:
    """What does not change while a subscriber is connected."""

    currency: str
    hedging: bool


@dataclass(frozen=True)
class Welcome:
    """The answer to a login. The next state is a snapshot of ``stream`` with this seq or a higher one.

    ``confirmed``: when this seq was the newest state for certain; None: at ``time``. Proxies send it.
    """

    type: ClassVar[str] = "welcome"
    user: str
    account: AccountKind
    stream: str
    seq: int
    time: int
    symbols: tuple[str, ...] | None = None
    confirmed: int | None = None


@dataclass(frozen=True)
class Publishing:
    """The answer to a login that publishes. Then the client sends what a server sends; see publication.py."""

    type: ClassVar[str] = "publishing"
    user: str
    topic: str


@dataclass(frozen=True)
class Account:
    """The figures of the provider's account; None when the user may not see them."""

    currency: str
    balance: Decimal | None = None
    equity: Decimal | None = None


@dataclass(frozen=True)
class Position:
    """A position: lots are negative for a sell, price is the average price, contract is units per lot.

    ``time`` is when the provider saw the lots change, or 0 if that was before it started. A hedging account's
    positions have tickets. In an update, one position of 0 lots without a ticket stands for a symbol without positions.
    """

    symbol: str
    lots: Decimal
    price: Decimal
    contract: Decimal
    time: int
    sl: Decimal | None = None
    tp: Decimal | None = None
    ticket: int | None = None


@dataclass(frozen=True)
class Snapshot:
    """A whole state: everything that the user may see."""

    type: ClassVar[str] = "snapshot"
    stream: str
    seq: int
    time: int
    account: Account
    positions: tuple[Position, ...] = ()


@dataclass(frozen=True)
class Update:
    """A state as the difference from any state from ``previous`` to before ``seq``.

    It has all positions of each symbol that changed.
    """

    type: ClassVar[str] = "update"
    stream: str
    seq: int
    previous: int
    time: int
    account: Account
    positions: tuple[Position, ...] = ()


@dataclass(frozen=True)
class Heartbeat:
    """The server confirms that ``seq`` is still the newest state at ``time``."""

    type: ClassVar[str] = "heartbeat"
    stream: str
    seq: int
    time: int


@dataclass(frozen=True)
class Ack:
    """The client has processed a state; ``held`` is what its account holds, by the provider's symbols.

    ``wanted`` is what it should hold by the client's own rules; None when the client does not say.
    """

    type: ClassVar[str] = "ack"
    stream: str
    seq: int
    held: dict[str, Decimal] = field(default_factory=dict)
    wanted: dict[str, Decimal] | None = None


@dataclass(frozen=True)
class Resync:
    """The client asks for a snapshot."""

    type: ClassVar[str] = "resync"


@dataclass(frozen=True)
class Error:
    """A refusal; after a fatal one the sender closes the connection."""

    type: ClassVar[str] = "error"
    code: str
    text: str
    fatal: bool


FromServer: TypeAlias = Hello | Welcome | Publishing | Snapshot | Update | Heartbeat | Error
FromClient: TypeAlias = Login | Ack | Resync | Error
Message: TypeAlias = FromServer | FromClient
