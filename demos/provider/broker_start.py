"""Builds the feed to a broker from the program's inputs, with one clear error for each input that cannot be used."""

from __future__ import annotations

import os
from collections.abc import Callable

from demos.copier.broker_login import broker_secret, broker_verification
from demos.copier.login_secret import SecretError
from demos.copier.verification import with_own_options
from demos.provider.accounts import AccountState
from demos.provider.broker_feed import BrokerFeed, FeedSettings
from demos.provider.broker_inputs import PASSWORD_VARIABLE, BrokerInputs
from demos.provider.broker_messages import ASK
from demos.terminal.interfaces import Clock
from demos.terminal.runtime.randomness import token_hex
from demos.wire.mqtt_link import MqttSettings
from demos.wire.mqtt_url import mqtt_endpoint_from_text
from demos.wire.opening import CallFailed
from demos.wire.tls_contexts import TlsError


class FeedError(Exception):
    """An input cannot be used; the text says which and why."""


def open_feed(inputs: BrokerInputs, account: AccountState, clock: Clock, warn: Callable[[str], object]) -> BrokerFeed:
    """The feed, ready for its first timer event. Errors: FeedError."""
    settings = feed_settings(inputs)
    if warning := settings.secret.warning():
        warn(warning)
    try:
        return BrokerFeed(settings, account, clock)
    except (ValueError, CallFailed) as error:
        raise FeedError(f"--broker: {error}") from None


def feed_settings(inputs: BrokerInputs) -> FeedSettings:
    """The settings that the inputs name. Errors: FeedError."""
    options = f"--broker-password-file, or the environment variable {PASSWORD_VARIABLE}"
    files, variables = {"password": inputs.password_file}, {"password": PASSWORD_VARIABLE}
    try:
        endpoint = mqtt_endpoint_from_text(inputs.url)
        context, pin = broker_verification(endpoint, inputs.ca, inputs.pin)
        secret = broker_secret(inputs.login, files, variables, options, os.environ)
    except (ValueError, TlsError, SecretError) as error:
        raise FeedError(f"--broker: {with_own_options(str(error), '--broker')}") from None
    client_id = f"provider-{token_hex(8)}"
    mqtt = MqttSettings(endpoint, context, pin, client_id, droppable=f"{endpoint.prefix}/{ASK}")
    return FeedSettings(mqtt, secret, inputs.name)
