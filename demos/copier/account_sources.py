"""Where a copied account comes from, by the program's inputs: a provider's WebSocket, or a broker."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from typing import NamedTuple

from demos.copier.account_inputs import AccountInputs
from demos.copier.login_secret import PASSWORD_VARIABLE, TOKEN_VARIABLE, LoginSecret, find_secret
from demos.copier.provider_connection import ProviderConnection
from demos.copier.secure_connection import SecureConnection, ServerSettings
from demos.copier.server_url import endpoint_from_text
from demos.copier.verification import verification
from demos.provider.following import Follower
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
    """The source that the inputs name. Errors: ValueError, TlsError, SecretError; ImportError without paho-mqtt."""
    return _broker(inputs) if inputs.broker else _provider(inputs, only)


def _provider(inputs: AccountInputs, only: tuple[str, ...] | None) -> Source:
    endpoint = endpoint_from_text(inputs.url)
    context, pin = verification(endpoint, inputs.ca, inputs.pin)
    secret = find_secret(inputs.login, inputs.password_file, inputs.token_file, os.environ, only)
    settings = ServerSettings(endpoint, context, pin, secret, CLIENT, only)
    place = f"{endpoint.host}:{endpoint.port}"
    return Source(place, secret, endpoint.tls, lambda follower: SecureConnection(settings, follower))


def _broker(inputs: AccountInputs) -> Source:
    try:
        from demos.copier.broker_connection import BrokerConnection, BrokerSettings
        from demos.copier.broker_login import broker_secret, mqtt_settings
    except ImportError as error:
        raise ImportError(f"{error}; --broker needs the package paho-mqtt: pip install winsock[broker]") from None
    mqtt = mqtt_settings(inputs.broker, inputs.ca, inputs.pin, f"copier-{secrets.token_hex(8)}")
    files = {"password": inputs.password_file, "token": inputs.token_file}
    secret = broker_secret(inputs.login, files, _VARIABLES, _HOW, os.environ)
    settings = BrokerSettings(mqtt, secret)
    return Source(mqtt.endpoint.text, secret, mqtt.endpoint.tls, lambda follower: BrokerConnection(settings, follower))
