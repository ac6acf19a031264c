"""The inputs of a provider's feed to a broker, as values."""

from __future__ import annotations

from typing import NamedTuple

PASSWORD_VARIABLE = "WINSOCK_BROKER_PASSWORD"


class BrokerInputs(NamedTuple):
    """Where the broker is, how it is verified, the login, and the provider's name, as the user gave them."""

    url: str
    login: str
    password_file: str
    ca: str
    pin: str
    name: str
