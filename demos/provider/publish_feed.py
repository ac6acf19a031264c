"""The provider's feed to a proxy: logs in as a publisher of a topic, and sends the account's states there.

The connection is the copier's transport. After the login the roles are exchanged (publication.py): this program sends
`hello`, `welcome`, states and heartbeats, and the proxy acknowledges them. A connection that ends is followed by the
next attempt after growing pauses, and a refused login by those of the module refusals. While the feed is suspended it
sends nothing, and does not connect.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import NamedTuple

from demos.copier.login_secret import LoginSecret, SecretError, find_secret
from demos.copier.refusals import Refusal, refusal_of
from demos.copier.server_url import Endpoint, endpoint_from_text
from demos.copier.transport import Transport
from demos.copier.verification import verification, with_own_options
from demos.provider.accounts import AccountState, View
from demos.provider.messages import Ack, Error, Hello, Publishing, Resync
from demos.provider.protocol import LONGEST_TEXT, MessageError, decode_from_client, decode_from_server, encode
from demos.provider.publish_inputs import PublishInputs
from demos.provider.publishing import Publisher
from demos.provider.streams import Subscription
from demos.terminal import Alert, Event, GetTickCount64, Print
from demos.terminal.interfaces import Clock
from demos.terminal.runtime.randomness import token_bytes
from demos.wire.backoff import Backoff
from demos.wire.tls_contexts import TlsContext, TlsError
from demos.wire.websocket import NORMAL, POLICY
from winsock import INVALID_SOCKET, __version__

CLIENT = f"provider {__version__}"

# The pauses between two connects, as in the copier.
FIRST_WAIT_MS = 1000
LONGEST_WAIT_MS = 16_000

# From the open WebSocket to the answer to the login.
LOGIN_MS = 30_000


class PublishError(Exception):
    """An input cannot be used; the text says which and why."""


class PublishSettings(NamedTuple):
    """The inputs as values; see ServerSettings."""

    endpoint: Endpoint
    context: TlsContext | None
    pin: bytes | None
    secret: LoginSecret
    name: str


def publish_settings(inputs: PublishInputs) -> PublishSettings:
    """The settings of the feed.

    Errors: PublishError.
    """
    try:
        endpoint = endpoint_from_text(inputs.url)
        context, pin = verification(endpoint, inputs.ca, inputs.pin)
        secret = find_secret(inputs.login, inputs.password_file, inputs.token_file, os.environ)
    except (ValueError, TlsError, SecretError) as error:
        raise PublishError(f"--publish: {with_own_options(str(error), '--publish')}") from None
    if not endpoint.topic:
        raise PublishError(f"--publish: no topic in {inputs.url!r}: use wss://HOST:PORT/TOPIC")
    return PublishSettings(endpoint, context, pin, secret, inputs.name)


def open_publish_feed(inputs: PublishInputs, account: AccountState, clock: Clock) -> PublishFeed:
    """The feed, ready for its first event.

    Errors: PublishError; ValueError when the protocol cannot carry the account.
    """
    settings = publish_settings(inputs)
    if warning := settings.secret.warning():
        Alert(warning)
    return PublishFeed(settings, account, clock)


class PublishFeed:
    """See the head of this module, and feeds.Feed."""

    def __init__(self, settings: PublishSettings, account: AccountState, clock: Clock) -> None:
        self.failure = ""
        self.code = 1
        self._endpoint, self._secret, self._name = settings.endpoint, settings.secret, settings.name
        self._clock = clock
        # Its one subscriber sees everything, so the key of hidden tickets is not used.
        self._publisher = Publisher(account, clock.utc_ms(), token_bytes(32))
        self._transport = Transport(settings.endpoint, settings.context, settings.pin)
        self._backoff = Backoff(FIRST_WAIT_MS, LONGEST_WAIT_MS)
        self._reported = ""
        self._refusal: Refusal | None = None
        self._suspended = False
        # Of the present connection.
        self._attempted = self._ending = self._login_sent = False
        self._opened_at: int | None = None
        self._subscription: Subscription | None = None

    # ---- see feeds.Feed

    def observe(self, account: AccountState) -> None:
        """Publish the account's present state."""
        self._suspended = True
        self._publisher.observe(account, self._clock.utc_ms())
        self._suspended = False
        self._pump()

    def suspend(self) -> None:
        """Send nothing until observe() is called."""
        self._suspended = True

    def owns(self, s: int) -> bool:
        """See Feed."""
        return s != INVALID_SOCKET and s == self._transport.socket

    def ready(self, s: int, ready: int) -> None:
        """See Feed."""
        self._step()

    def timer(self) -> None:
        """See Feed."""
        if self._transport.is_idle and not self._suspended and self._backoff.is_due(GetTickCount64()):
            self._backoff.failed(GetTickCount64())
            self._attempted, self._ending, self._login_sent, self._opened_at = True, False, False, None
            self._transport.Begin(GetTickCount64())
        self._step()

    def close(self) -> None:
        """End the connection."""
        self._end("", NORMAL)
        self._transport.CloseClean()

    # ---- the connection

    def _step(self) -> None:
        """Do what is possible now."""
        now = GetTickCount64()
        messages = self._transport.Continue(now)
        if self._opened_at is None and self._transport.is_open:
            self._opened_at = now
        for text in messages:
            if not self._ending:
                self._take(text)
        waits = self._transport.is_open and self._subscription is None
        if waits and self._opened_at is not None and now - self._opened_at >= LOGIN_MS:
            self._end(f"the proxy has not completed the login within {LOGIN_MS // 1000} s", POLICY)
        self._pump()
        if self._transport.is_idle and self._attempted:
            self._attempted = False
            self._stop_sending()
            if not self._ending:
                self._report(with_own_options(self._transport.problem, "--publish"))
        self._transport.Register()

    def _pump(self) -> None:
        """Send the newest state or a heartbeat, when all earlier output has been sent."""
        subscription = self._subscription
        while subscription is not None and not self._suspended:
            if not self._transport.is_open or self._transport.unsent:
                return
            text = subscription.next_message(self._clock.utc_ms())
            if text is None:
                return
            self._transport.Send(text, GetTickCount64())

    def _take(self, text: str) -> None:
        """Decode a message of the proxy, which speaks like a subscriber after the login."""
        try:
            message = decode_from_client(text) if self._subscription is not None else decode_from_server(text)
        except MessageError as problem:
            self._send(encode(Error(problem.code, str(problem)[:LONGEST_TEXT], fatal=True)))
            self._end(f"the proxy breaks the protocol: {problem}", POLICY)
            return
        if isinstance(message, Error):
            self._hear_error(message)
        elif isinstance(message, Resync) and self._subscription is not None:
            self._subscription.resync()
        elif isinstance(message, Ack):
            # The topic has the state: the login has succeeded.
            self._backoff = Backoff(FIRST_WAIT_MS, LONGEST_WAIT_MS)
            self._reported, self._refusal = "", None
        elif isinstance(message, Hello):
            self._log_in()
        elif isinstance(message, Publishing):
            self._begin()

    def _log_in(self) -> None:
        if self._login_sent:
            return
        self._login_sent = True
        try:
            login = replace(self._secret.message(None, CLIENT), publish=True)
        except SecretError as problem:
            self._end(str(problem), NORMAL)
            return
        self._send(encode(login))

    def _begin(self) -> None:
        """The login was accepted: publish."""
        now = self._clock.utc_ms()
        self._subscription = self._publisher.subscribe(View(), now, steady=True)
        self._send(self._publisher.hello(self._name, now))
        self._send(self._subscription.welcome(self._secret.login, now))
        Event("publishing", topic=self._endpoint.topic, port=self._transport.local_port)
        Print(f"the account is published at {self._endpoint}")

    def _hear_error(self, message: Error) -> None:
        text = f"{message.text} ({message.code})"
        if not message.fatal:
            Print(f"-the proxy reports: {text}")
            return
        refusal = refusal_of(message.code)
        if refusal != self._refusal:
            self._refusal = refusal
            self._backoff = Backoff(refusal.first_ms, refusal.longest_ms)
            self._backoff.failed(GetTickCount64())
        Event("refused", code=message.code)
        self._end(f"the proxy refuses the login or ends it: {text}", NORMAL)

    def _send(self, text: str) -> None:
        self._transport.Send(text, GetTickCount64())

    def _end(self, reason: str, code: int) -> None:
        """End the connection in order; a reason is logged."""
        self._ending = True
        if reason:
            self._report(reason)
        self._stop_sending()
        self._transport.End(code, reason, GetTickCount64())

    def _stop_sending(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None

    def _report(self, reason: str) -> None:
        """Log why nothing is published, unless the log says so already."""
        if reason != self._reported:
            self._reported = reason
            Alert(f"nothing is published at {self._endpoint}: {reason}. {self._backoff.retry_text()}")
