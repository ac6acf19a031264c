"""Why a connection to an MQTT broker has failed before the broker has accepted the login, in the words of the user."""

from __future__ import annotations

from demos.wire.mqtt_url import MqttEndpoint
from demos.wire.tls_contexts import is_cut_off, tls_problem


def connect_problem(error: Exception, endpoint: MqttEndpoint) -> str:
    """The reason of an exception in paho."""
    if endpoint.tls and is_cut_off(error):
        return (
            f"the connection has ended during the TLS handshake: perhaps port {endpoint.port} is one without TLS; "
            "use the broker's port for TLS"
        )
    return tls_problem(error, endpoint.host) or type(error).__name__


def unanswered_problem(endpoint: MqttEndpoint) -> str:
    """The reason when the peer ends the connection instead of an answer to the login."""
    hint = (
        f"perhaps port {endpoint.port} is not that of an MQTT broker"
        if endpoint.tls
        else f"perhaps port {endpoint.port} is one with TLS: use mqtts://"
    )
    return f"the connection has ended before the broker has answered the login: {hint}"
