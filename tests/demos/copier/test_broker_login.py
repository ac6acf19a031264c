"""The login at a broker: the secret comes from a file or the environment, and what is not used is reported."""

from __future__ import annotations

import pytest

from demos.copier.broker_login import broker_secret
from demos.copier.login_secret import SecretError

VARIABLES = {"password": "A_PASSWORD", "token": "A_TOKEN"}


def test_a_secret_in_the_environment_without_a_login_is_not_used_and_causes_a_warning():
    found = broker_secret("", {}, VARIABLES, "a file", {"A_TOKEN": "secret"})
    assert (found.login, found.read()) == ("", "")
    assert found.warning() == "the environment variable A_TOKEN is set but not used: there is no login"
    assert broker_secret("", {}, VARIABLES, "a file", {}).warning() == ""


def test_a_secret_in_the_environment_is_that_of_the_login():
    found = broker_secret("anna", {}, VARIABLES, "a file", {"A_TOKEN": "secret"})
    assert (found.kind, found.read(), found.warning()) == ("token", "secret", "")


def test_two_secrets_in_the_environment_are_refused():
    with pytest.raises(SecretError, match="only one is possible"):
        broker_secret("anna", {}, VARIABLES, "a file", {"A_TOKEN": "x", "A_PASSWORD": "y"})
