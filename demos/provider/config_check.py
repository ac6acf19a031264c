"""``python -m demos provider check``: whether a provider would work with the file of its options.

The checks read the certificate, the key and the state and bind the ports for a moment; they change nothing, and a
running provider is not disturbed.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

from demos.launcher.config_check import Finding, folder_problem, readers_of, run_check
from demos.provider.broker_inputs import BrokerInputs
from demos.provider.input_checks import command_arguments
from demos.provider.publish_inputs import PublishInputs
from demos.provider.state_copy import inspect_state
from demos.provider.state_file import VERSION, StateError
from demos.provider.user_options import wall_clock
from demos.wire.addresses import Address, host_text, is_any, is_loopback
from demos.wire.listening import StartError, start_server
from demos.wire.opening import CallFailed
from demos.wire.posting import parse_url
from demos.wire.tls_contexts import CertificateFiles, TlsError, verifying_context
from winsock import SOCK_STREAM, WSAEACCES, WSAEADDRINUSE, WSACleanup, closesocket

# A certificate that ends sooner is worth a warning.
_SOON = timedelta(days=14)

_NO_PORT = -1
# In the order of BrokerInputs.
_PUBLISH_INPUTS = (
    "publish",
    "publish_login",
    "publish_password_file",
    "publish_token_file",
    "publish_ca",
    "publish_pin",
    "name",
)
_BROKER_INPUTS = ("broker", "broker_login", "broker_password_file", "broker_ca", "broker_pin", "name")


def check_provider(config: Path) -> int:
    """Print what is wrong with the file, one line each; returns the exit code, 0 or 2.

    Errors: ProgramError when the program cannot be loaded.
    """
    return run_check("provider", config, lambda inputs: [*provider_findings(inputs), *_file_findings(config, inputs)])


def provider_findings(inputs: Mapping[str, object]) -> Iterator[Finding]:
    """What is wrong with the program's inputs. A value with a problem of its own is missing, and was reported."""
    cert, key = _text(inputs, "cert"), _text(inputs, "key")
    if cert:
        yield from _certificate_findings(Path(cert), Path(key or cert))
    elif key:
        yield Finding("key is given without cert: give the file of the certificate too")
    yield from _listening_findings(inputs, tls=bool(cert) or "cert" not in inputs)
    if "broker" in inputs:
        yield from _broker_findings(BrokerInputs(*(_text(inputs, name) for name in _BROKER_INPUTS)))
    if "publish" in inputs:
        yield from _publish_findings(PublishInputs(*(_text(inputs, name) for name in _PUBLISH_INPUTS)))
    if _port(inputs, "Port") != _NO_PORT:
        yield from _package_findings()
        yield from _state_findings(Path(_text(inputs, "state")))
        yield from _alert_findings(_text(inputs, "alert_webhook"), _text(inputs, "alert_ca"))
        yield from _command_findings(_text(inputs, "alert_command"))


def _file_findings(config: Path, inputs: Mapping[str, object]) -> Iterator[Finding]:
    """What is wrong with the file itself."""
    if _text(inputs, "alert_webhook") and readers_of(config) & 0o007:
        text = f"others can read {config}, and the address of a webhook is often secret: use `chmod 640 {config}`"
        yield Finding(text, warning=True)


def _broker_findings(inputs: BrokerInputs) -> Iterator[Finding]:
    """What is wrong with the feed to a broker; see OpenFeeds()."""
    if not inputs.url:
        if any(inputs[1:-1]):
            yield Finding("broker is missing: without it the other inputs of the broker have no effect")
        return
    try:
        from demos.provider.broker_start import FeedError, feed_settings
    except ImportError as error:
        yield Finding(f"broker: {error}; install the package paho-mqtt")
        return
    try:
        secret = feed_settings(inputs).secret
    except FeedError as error:
        yield Finding(str(error))
        return
    if warning := secret.warning():
        yield Finding(warning, warning=True)


def _publish_findings(inputs: PublishInputs) -> Iterator[Finding]:
    """What is wrong with the feed to a proxy; see OpenPublishFeed()."""
    if not inputs.url:
        if any(inputs[1:-1]):
            yield Finding("publish is missing: without it the other inputs of the proxy have no effect")
        return
    try:
        from demos.provider.publish_feed import PublishError, publish_settings
    except ImportError as error:
        yield Finding(f"publish: {error}")
        return
    try:
        secret = publish_settings(inputs).secret
    except PublishError as error:
        yield Finding(str(error))
        return
    if warning := secret.warning():
        yield Finding(warning, warning=True)


def _alert_findings(webhook: str, ca: str) -> Iterator[Finding]:
    if webhook:
        try:
            parse_url(webhook)
        except ValueError as error:
            yield Finding(f"alert-webhook: {error}")
    if ca:
        try:
            verifying_context(ca)
        except TlsError as error:
            yield Finding(f"alert-ca: {error}")


def _command_findings(command: str) -> Iterator[Finding]:
    """A warning when there is no such program: it may be installed later, and the provider starts without it."""
    arguments = command_arguments(command)
    if arguments and shutil.which(arguments[0]) is None:
        yield Finding(f"alert-command: no program {arguments[0]!r} that this user can run was found", warning=True)


def _package_findings() -> Iterator[Finding]:
    try:
        import demos.provider.service  # noqa: F401 - the import is the check
    except ImportError as error:
        yield Finding(f"Port: {error}; or use the plain port alone: Port = -1")


def _certificate_findings(cert: Path, key: Path) -> Iterator[Finding]:
    try:
        CertificateFiles(cert, key)
    except TlsError as error:
        yield Finding(str(error))
        return
    # The group may be that of the programs which use the certificate.
    if readers_of(key) & 0o027:
        yield Finding(f"others can read or change the private key {key}: use `chmod 600 {key}`", warning=True)
    try:
        from demos.provider.certificates import certificate_period
    except ImportError as error:
        yield Finding(f"the dates of the certificate cannot be checked: {error}", warning=True)
        return
    begin, end = certificate_period(cert)
    now = datetime.fromtimestamp(wall_clock(), timezone.utc)
    if now < begin:
        yield Finding(f"the certificate {cert} is not valid before {begin:%Y-%m-%d %H:%M} UTC")
    elif now >= end:
        yield Finding(f"the certificate {cert} has expired: it was valid until {end:%Y-%m-%d %H:%M} UTC")
    elif end - now < _SOON:
        yield Finding(f"the certificate {cert} is valid until {end:%Y-%m-%d %H:%M} UTC only: renew it", warning=True)


def _listening_findings(inputs: Mapping[str, object], *, tls: bool) -> Iterator[Finding]:
    host, port = _text(inputs, "Host"), _port(inputs, "Port")
    plain_host, plain_port = _text(inputs, "plain_host"), _port(inputs, "plain_port")
    if inputs.get("Port") == inputs.get("plain_port") == _NO_PORT and not (
        inputs.get("broker") or inputs.get("publish")
    ):
        yield Finding("the provider would listen on no port: give Port or plain-port")
    address = plain_address = None
    if port != _NO_PORT and "Host" in inputs:
        address, findings = _try_listening("Port", host, port)
        yield from findings
        if address and not tls and not is_loopback(address):
            yield Finding(
                f"Host = {host!r} is no loopback address and there is no certificate: give cert and key "
                "(`python -m demos provider cert` creates them)"
            )
    if plain_port != _NO_PORT and "plain_host" in inputs:
        plain_address, findings = _try_listening("plain-port", plain_host, plain_port)
        yield from findings
        if plain_address and not is_loopback(plain_address):
            yield Finding(
                f"plain-host = {plain_host!r} is no loopback address: the plain protocol has no password and no "
                "encryption, and whoever reaches the port can read the positions",
                warning=True,
            )
    if address and plain_address and port == plain_port and port and _overlap(address, plain_address):
        yield Finding(f"Port and plain-port are both {port}: use another number for one of them")


def _try_listening(key: str, host: str, port: int) -> tuple[Address | None, list[Finding]]:
    """The address of a host, and what is wrong with it and its port."""
    address = _listen(host, 0)
    if isinstance(address, StartError):
        return None, [Finding(f"{key}: {address}")]
    result = _listen(host, port)
    if not isinstance(result, StartError):
        return address, []
    cause = result.__cause__
    # On Windows a port that another program has for itself is reported as one without permission.
    in_use = (WSAEADDRINUSE, WSAEACCES) if sys.platform == "win32" else (WSAEADDRINUSE,)
    if isinstance(cause, CallFailed) and cause.error in in_use:
        text = f"{key}: port {port} is in use: by a provider that is running, or by another program"
        return address, [Finding(text, warning=True)]
    return address, [Finding(f"{key}: {result}")]


def _listen(host: str, port: int) -> Address | StartError:
    """Listen for a moment."""
    try:
        server, address = start_server(host, port, SOCK_STREAM)
    except StartError as error:
        return error
    closesocket(server)
    WSACleanup()
    return address


def _state_findings(state: Path) -> Iterator[Finding]:
    if not state.exists():
        problem = folder_problem(state)
        text = problem or f"no such file: {state}: without it nobody can log in (`python -m demos provider user add`)"
        yield Finding(f"state: {text}", warning=not problem)
        return
    if not os.access(state, os.R_OK | os.W_OK):
        yield Finding(f"state: {state} cannot be read and written by this user")
        return
    # SQLite keeps two more files there.
    if problem := folder_problem(state):
        yield Finding(f"state: {problem}")
        return
    try:
        version, users = inspect_state(state)
    except StateError as error:
        yield Finding(f"state: {error}")
        return
    if version < VERSION:
        text = f"version {version} becomes version {VERSION} when the provider starts: make a backup before"
        yield Finding(f"state: {state} of {text}", warning=True)
    if not users:
        yield Finding(f"state: {state} has no users: `python -m demos provider user add LOGIN` adds one", warning=True)
    if readers_of(state):
        yield Finding(f"state: others can read {state}, which has the hashes of all passwords", warning=True)


def _overlap(one: Address, other: Address) -> bool:
    return is_any(one) or is_any(other) or host_text(one) == host_text(other)


def _text(inputs: Mapping[str, object], name: str) -> str:
    """The value of an input; empty when it is missing."""
    value = inputs.get(name)
    return value if isinstance(value, str) else ""


def _port(inputs: Mapping[str, object], name: str) -> int:
    value = inputs.get(name)
    return value if isinstance(value, int) else _NO_PORT
