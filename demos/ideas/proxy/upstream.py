"""The connection of a topic to its upstream server, a provider or another proxy: it logs in like a copier.

The connection and its rules are the copier's. It has no account: it acknowledges each state, and holds nothing.
"""

from __future__ import annotations

import os

from demos.copier.login_secret import SecretError, find_secret
from demos.copier.moments import Moment
from demos.copier.secure_connection import SecureConnection, ServerSettings
from demos.copier.server_url import endpoint_from_text
from demos.copier.verification import verification
from demos.ideas.proxy.upstream_inputs import UpstreamInputs
from demos.provider.topic_source import TopicSource
from demos.terminal import Alert
from demos.wire.tls_contexts import TlsError
from winsock import INVALID_SOCKET, __version__

CLIENT = f"proxy {__version__}"


class UpstreamError(Exception):
    """An input of an upstream server cannot be used; the text says which and why."""


def upstream_settings(inputs: UpstreamInputs) -> ServerSettings:
    """The settings of the connection.

    Errors: UpstreamError.
    """
    try:
        endpoint = endpoint_from_text(inputs.url)
        context, pin = verification(endpoint, inputs.ca, inputs.pin)
        secret = find_secret(inputs.login, inputs.password_file, inputs.token_file, os.environ)
    except (ValueError, TlsError, SecretError) as error:
        raise UpstreamError(f"upstream of the topic {inputs.topic}: {error}") from None
    if warning := secret.warning():
        Alert(warning)
    return ServerSettings(endpoint, context, pin, secret, CLIENT, steady=True)


class UpstreamConnection(SecureConnection):
    """The copier's connection, with the proxy's words about an alarm."""

    stopped = "nothing of the topic is sent"
    resume = "a start with --resume"


class Upstream:
    """A topic and the connection that feeds it. For the terminal's thread."""

    def __init__(self, settings: ServerSettings, source: TopicSource) -> None:
        self.source = source
        self._connection = UpstreamConnection(settings, source.follower)
        # Whether the last state is not acknowledged yet.
        self._owes = False

    @property
    def socket(self) -> int:
        """The socket of the connection; INVALID_SOCKET while there is none."""
        return self._connection.transport.socket

    def owns(self, s: int) -> bool:
        """Whether this is the socket of the connection."""
        return s != INVALID_SOCKET and s == self.socket

    def step(self, event: Moment) -> None:
        """Do what is possible now: connect, log in, pass on what has arrived."""
        states = self._connection.Continue(event)
        self.source.update(states)
        self._owes = self._owes or bool(states)
        # The server shows its operator how long its subscribers take.
        if self._owes and self._connection.is_live and self._connection.Acknowledge({}, None):
            self._owes = False

    def close(self) -> None:
        """End the connection."""
        self._connection.CloseClean()
