"""How a program logs in at an MQTT broker: how the broker is verified, and the secret of the login.

The secret comes from a file or the environment, like that of a login at a provider, and is sent as the password of
MQTT. A broker may accept clients without a login.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from demos.copier.login_secret import LoginSecret, SecretError
from demos.copier.server_url import Endpoint
from demos.copier.verification import verification
from demos.wire.mqtt_url import MqttEndpoint
from demos.wire.tls_contexts import TlsContext

BROKER_PACKAGE = '--broker needs the package paho-mqtt: python -m pip install -e ".[broker]"'


def broker_verification(endpoint: MqttEndpoint, ca: str, pin: str) -> tuple[TlsContext | None, bytes | None]:
    """The TLS context and the pinned fingerprint, None for what is not used. Errors: ValueError, TlsError."""
    if not endpoint.tls and (ca or pin):
        raise ValueError("a CA file and a pinned certificate verify a broker with TLS: use mqtts://")
    return verification(Endpoint(endpoint.host, endpoint.port, endpoint.tls), ca, pin)


def broker_secret(
    login: str, files: Mapping[str, str], variables: Mapping[str, str], options: str, environment: Mapping[str, str]
) -> LoginSecret:
    """The secret that the options and the environment name, by its kind. Options win over the environment.

    ``variables``: the environment variable of each kind; ``options``: how to give a secret, for the errors.
    Errors: SecretError when there is a login without a secret, or the other way round, or when a file cannot be used.
    """
    given = {kind: name for kind, name in files.items() if name}
    if not login:
        if given:
            raise SecretError("the password of a broker needs a login, and none is given")
        unused = next((name for name in variables.values() if environment.get(name)), "")
        return LoginSecret("", "password", unused=unused)
    values = {kind: environment[name] for kind, name in variables.items() if environment.get(name)}
    kinds = given or values
    if len(kinds) != 1:
        problem = "only one is possible" if kinds else "none is given"
        raise SecretError(f"the login {login!r} at the broker needs a password, and {problem}: use {options}")
    [kind] = kinds
    found = LoginSecret(login, kind, Path(given[kind]) if given else None, "" if given else values[kind])
    found.read()
    return found
