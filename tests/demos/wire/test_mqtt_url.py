"""The URL of a topic prefix at a broker: what is accepted, and that no secret is in it or shown."""

from __future__ import annotations

import pytest

from demos.wire.mqtt_url import LONGEST_PREFIX, MqttEndpoint, mqtt_endpoint_from_text, mqtt_url_problem


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("mqtts://broker.example/signals", MqttEndpoint("broker.example", 8883, True, "signals")),
        ("mqtts://broker.example:9000/a/b.c/d_e-f", MqttEndpoint("broker.example", 9000, True, "a/b.c/d_e-f")),
        ("mqtt://127.0.0.1/a", MqttEndpoint("127.0.0.1", 1883, False, "a")),
        ("mqtt://[::1]:1884/a", MqttEndpoint("::1", 1884, False, "a")),
        ("mqtt://localhost/a", MqttEndpoint("localhost", 1883, False, "a")),
    ],
)
def test_a_url_names_host_port_and_prefix(url, endpoint):
    assert mqtt_endpoint_from_text(url) == endpoint
    assert mqtt_url_problem(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "mqtts://broker.example", "mqtts://broker.example/", "mqtts://broker.example/a/", "mqtts://broker.example//a",
        "mqtts://broker.example/a/+", "mqtts://broker.example/#", "mqtts://broker.example/$SYS",
        "mqtts://broker.example/a?b", "mqtts://broker.example/a b", "mqtts://broker.example/ä",
        "mqtts://broker.example/a/b/c/d/e/f/g/h/i", f"mqtts://broker.example/{'a' * (LONGEST_PREFIX + 1)}",
        "mqtts://:1/a", "mqtts://broker.example:0/a", "mqtts://broker.example:70000/a", "https://broker.example/a",
        "broker.example/a",
    ],
)  # fmt: skip
def test_other_urls_are_refused_with_an_example(url):
    assert "mqtts://" in (mqtt_url_problem(url) or "")


def test_a_connection_without_tls_stays_on_this_computer():
    problem = mqtt_url_problem("mqtt://broker.example/a") or ""
    assert "without TLS" in problem


@pytest.mark.parametrize(
    "url",
    [
        "mqtts://anna:secret@broker.example/a", "mqtts://anna:s/secret@broker.example/a",
        "mqtts:anna:secret@broker.example/a", "anna:secret@broker.example", "mqtts://h:1/a?anna:secret@h",
    ],
)  # fmt: skip
def test_a_password_in_a_url_is_refused_and_not_shown(url):
    problem = mqtt_url_problem(url) or ""
    assert "password file" in problem
    assert "secret" not in problem
