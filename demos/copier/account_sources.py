"""Where a copied account comes from, by the program's inputs: a provider's WebSocket, or a broker."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from demos.copier.account_inputs import AccountInputs
from demos.copier.broker_login import BROKER_PACKAGE, broker_secret, broker_verification
from demos.copier.login_secret import PASSWORD_VARIABLE, TOKEN_VARIABLE, LoginSecret, find_secret
from demos.copier.provider_connection import ProviderConnection
from demos.copier.secure_connection import SecureConnection, ServerSettings
from demos.copier.server_url import endpoint_from_text
from demos.copier.verification import verification
from demos.provider.following import Follower
from demos.terminal.runtime.randomness import token_hex
from demos.wire.mqtt_url import mqtt_endpoint_from_text
from demos.wire.tls_contexts import TlsContext
from winsock import __version__

CLIENT = f"copier {__version__}"

_VARIABLES = {"password": PASSWORD_VARIABLE, "token": TOKEN_VARIABLE}
_HOW = (
    f"--password-file or --token-file, or the environment variable {PASSWORD_VARIABLE} or {TOKEN_VARIABLE}, "
    "whose value is sent as the password"
)


class Source(NamedTuple):
    """The place and the login to which a memory belongs, how the server is verified, and how to connect."""

    place: str
    secret: LoginSecret
    has_tls: bool
    connect: Callable[[Follower], ProviderConnection]


def find_source(inputs: AccountInputs, only: tuple[str, ...] | None) -> Source:
    """The source that the inputs name; ``only``: the symbols that the login asks for.

    Errors: ValueError, TlsError, SecretError; ImportError without the packages that it needs.
    """
    connect = _broker if inputs.broker else _provider
    return connect(inputs, find_secret_of(inputs, only), only)


def find_secret_of(inputs: AccountInputs, only: tuple[str, ...] | None) -> LoginSecret:
    """The secret of the login. Errors: SecretError."""
    if not inputs.broker:
        return find_secret(inputs.login, inputs.password_file, inputs.token_file, os.environ, only)
    files = {"password": inputs.password_file, "token": inputs.token_file}
    return broker_secret(inputs.login, files, _VARIABLES, _HOW, os.environ)


def verify_source(inputs: AccountInputs) -> tuple[TlsContext | None, bytes | None]:
    """The TLS context and the pinned fingerprint, None for what is not used. Errors: ValueError, TlsError."""
    if inputs.broker:
        return broker_verification(mqtt_endpoint_from_text(inputs.broker), inputs.ca, inputs.pin)
    return verification(endpoint_from_text(inputs.url), inputs.ca, inputs.pin)


def _provider(inputs: AccountInputs, secret: LoginSecret, only: tuple[str, ...] | None) -> Source:
    endpoint = endpoint_from_text(inputs.url)
    settings = ServerSettings(endpoint, *verify_source(inputs), secret, CLIENT, only)
    place = str(endpoint)
    return Source(place, secret, endpoint.tls, lambda follower: SecureConnection(settings, follower))


def _broker(inputs: AccountInputs, secret: LoginSecret, only: tuple[str, ...] | None) -> Source:
    try:
        from demos.copier.broker_connection import BrokerConnection, BrokerSettings
        from demos.wire.mqtt_link import MqttSettings
    except ImportError as error:
        raise ImportError(f"{error}; {BROKER_PACKAGE}") from None
    endpoint = mqtt_endpoint_from_text(inputs.broker)
    mqtt = MqttSettings(endpoint, *verify_source(inputs), f"copier-{token_hex(8)}")
    settings = BrokerSettings(mqtt, secret)
    return Source(endpoint.text, secret, endpoint.tls, lambda follower: BrokerConnection(settings, follower))
