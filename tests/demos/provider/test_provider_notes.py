"""notes/provider.md is correct: its examples are messages, and its tables name the fields of the code."""

from __future__ import annotations

import ast
import base64
import dataclasses
import hashlib
import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from service_kit import RunningProvider, add_user
from web_kit import network
from winsock_kit import LIMIT_SECONDS

from demos.copier import ack_pace
from demos.copier.provider_connection import FIRST_WAIT_MS, LONGEST_WAIT_MS, PROVEN_MS
from demos.copier.refusals import _REFUSALS, LONG_PAUSE_MS, Outcome, refusal_of
from demos.provider import clients, fields, login_desk, messages, protocol, session, subscribers_port
from demos.provider.alerts import AlertLimits
from demos.provider.guard import Rules
from demos.provider.reports import MOST_PROBLEMS
from demos.wire.channel import ChannelLimits
from demos.wire.tls import HANDSHAKE_MS
from demos.wire.web_server import WebLimits
from demos.wire.websocket import (
    _COUNTED,
    GOING_AWAY,
    INVALID_TEXT,
    POLICY,
    PROTOCOL_ERROR,
    TOO_LARGE,
    UNSUPPORTED,
)

__all__ = ["network"]

ROOT = Path(__file__).resolve().parents[3]
NOTE = (ROOT / "notes/provider.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```json\n(.*?)\n```$", NOTE, re.MULTILINE)
CLIENT = {"login", "ack", "resync"}
MESSAGES: list[Any] = [
    messages.Hello, messages.Welcome, messages.Snapshot, messages.Update, messages.Heartbeat, messages.Login,
    messages.Ack, messages.Error, messages.Publishing,
]  # fmt: skip


def table(heading: str) -> dict[str, str]:
    match = re.search(rf"^{re.escape(heading)}$[\s\S]*?^\| --- \| --- \|\n((?:\|.*\n)+)", NOTE, re.MULTILINE)
    assert match, heading
    return dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", match[1], re.MULTILINE))


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_message_and_is_what_the_code_writes(example: str) -> None:
    from_client = json.loads(example)["type"] in CLIENT
    message = protocol.decode_from_client(example) if from_client else protocol.decode_from_server(example)
    assert json.loads(protocol.encode(message)) == json.loads(example)


def test_there_is_an_example_of_every_message() -> None:
    assert {json.loads(example)["type"] for example in EXAMPLES} == {each.type for each in MESSAGES} | {"resync"}


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.type)
def test_a_table_names_the_fields_of_the_message(kind: Any) -> None:
    assert list(table(f"### {kind.type}")) == [field.name for field in dataclasses.fields(kind)]


def test_the_table_of_positions_names_their_fields() -> None:
    assert list(table("A position:")) == [field.name for field in dataclasses.fields(messages.Position)]


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_field_is_optional_exactly_if_its_table_says_so(example: str) -> None:
    raw = json.loads(example)
    if raw["type"] == "resync":
        return
    decode: Any = protocol.decode_from_client if raw["type"] in CLIENT else protocol.decode_from_server
    for name, text in table(f"### {raw['type']}").items():
        rest = {key: value for key, value in raw.items() if key != name}
        # A login needs one of the two secrets: the one in the example.
        if text.startswith("optional") and not (name in ("password", "token") and name in raw):
            decode(json.dumps(rest))
        else:
            with pytest.raises(protocol.MessageError):
                decode(json.dumps(rest))


def test_the_limits_in_the_text_are_those_of_the_code() -> None:
    assert (
        f"{protocol.MOST_FROM_SERVER:,} bytes, one from the client at most {protocol.MOST_FROM_CLIENT:,} char" in NOTE
    )
    for limit in (protocol.MOST_FROM_SERVER, protocol.MOST_FROM_CLIENT, protocol.MOST_POSITIONS):
        assert f"{limit:,}" in NOTE
    assert f"at most {fields.DEEPEST}\n  levels" in NOTE
    for limit in (protocol.MOST_SYMBOLS, protocol.LONGEST_NAME, protocol.LONGEST_SECRET, protocol.LONGEST_TEXT):
        assert re.search(rf"at most {limit} ", NOTE)


def test_the_limits_of_a_connection_are_those_of_the_code() -> None:
    part = NOTE.partition("### The limits of a connection\n")[2].partition("\n### ")[0]
    limits = dict(re.findall(r"^\| (.*?) \| (.*?) \| .* \|$", part, re.MULTILINE))
    before, after, unread = clients._LOGIN_LIMITS, clients._WEBSOCKET_LIMITS, clients._CHANNEL_LIMITS
    assert WebLimits().head_ms == HANDSHAKE_MS == session.LOGIN_MS == 10_000
    assert limits["the TLS handshake, the request, the `login`"] == "10 s each"
    for name, each in {"before": before, "after": after}.items():
        assert limits[f"a message {name} the `welcome`"] == f"{each.message:,} characters"
        burst, rate = each.burst, each.frames_per_second
        assert limits[f"cost of all frames {name} the `welcome`"] == f"{burst} at once, then {rate} a second"
        assert limits["frames of a message"] == str(each.fragments)
        silence, ping = each.silence_ms // 1000, each.ping_ms // 1000
        assert limits["silence of the client"] == f"{silence} s; the server sends a ping after {ping} s"
        assert limits["the answer to a close frame"] == f"{each.close_ms // 1000} s"
    assert limits["output that the client does not read"] == (
        f"{unread.unsent // 1024**2} MiB; {unread.stalled_ms // 1000} s without progress; "
        f"{unread.unsent_ms // 60_000} minutes in all"
    )
    assert f"1 more for each full {_COUNTED:,} characters" in part
    assert f"costs at most {1 + protocol.MOST_FROM_CLIENT // _COUNTED}." in part
    assert f"at most {ack_pace.AT_ONCE} at once\n  and {ack_pace.PER_SECOND} a second" in part
    assert ack_pace.COUNTED == _COUNTED
    assert f"behind by {AlertLimits().lag_ms // 1000} s" in part
    assert f"wait for {session.MOST_WAIT_MS // 1000} s" in part
    assert f"delayed by up to {Rules().longest_delay:g} s" in part
    codes = {int(code) for code in re.findall(r"\b10\d\d\b", part.partition("Close codes")[2])}
    assert codes == {POLICY, GOING_AWAY, PROTOCOL_ERROR, UNSUPPORTED, INVALID_TEXT, TOO_LARGE}


def test_the_pauses_of_a_subscriber_are_those_of_the_copier() -> None:
    assert (FIRST_WAIT_MS, LONGEST_WAIT_MS, PROVEN_MS) == (1000, 16_000, 5000)
    assert "try again after 1, 2, 4, 8 and then 16 seconds. A login\n  that has lasted for 5 seconds" in NOTE
    [rows] = re.findall(r"^\| code \| what has happened .*\n\| --- .*\n((?:\|.*\n)+)", NOTE, re.MULTILINE)
    for row in rows.splitlines():
        _, codes, _, action, _ = row.split("|")
        for code in re.findall(r"`([a-z]+)`", codes):
            refusal = refusal_of(code)
            expected = {
                (60_000, 600_000): "try again after 1, 2, 4 … 10 minutes",
                (1000, 16_000): "try again after 1, 2, 4 … 16 s",
                (1000, 60_000): "after 1",
                (5000, 60_000): "stop: use" if code == "operator" else "try again later",
                (LONG_PAUSE_MS, LONG_PAUSE_MS): "stop",
            }[refusal.first_ms, refusal.longest_ms]
            assert expected in action, code


def test_the_table_of_refused_logins_is_what_the_copier_does() -> None:
    [rows] = re.findall(r"^\| code of the error .*\n\| --- .*\n((?:\|.*\n)+)", NOTE, re.MULTILINE)
    said = {}
    for row in rows.splitlines():
        _, codes, action, _ = row.split("|")
        said |= dict.fromkeys(re.findall(r"`([a-z]+)`", codes) or ["other"], action)
    assert said.keys() == {*_REFUSALS, "other"}
    for code, action in said.items():
        refusal = refusal_of(code)
        changed = "`--on-end`" if refusal.outcome is Outcome.ENDED else "waits until the file"
        expected = {
            (60_000, 600_000): "1, 2, 4 … 10 minutes",
            (1000, 16_000): "1, 2, 4 … 16 seconds",
            (1000, 60_000): "1, 2, 4 … 60 seconds",
            (5000, 60_000): "5, 10, 20 … 60 seconds",
            (LONG_PAUSE_MS, LONG_PAUSE_MS): changed,
        }[refusal.first_ms, refusal.longest_ms]
        assert expected in action, code


@pytest.mark.usefixtures("network")
def test_the_request_that_opens_the_websocket_is_accepted_and_the_whole_client_follows_the_provider(
    tmp_path: Path,
) -> None:
    token = add_user(tmp_path, "anna")
    (tmp_path / "token.txt").write_text(token, encoding="utf-8")
    provider = RunningProvider(tmp_path)
    [request] = re.findall(r"^```http\n(.*?)^```$", NOTE, re.MULTILINE | re.DOTALL)
    context = provider.context()
    assert context is not None
    plain = socket.create_connection(("127.0.0.1", provider.port), LIMIT_SECONDS)
    with context.wrap_socket(plain, server_hostname="localhost") as s:
        s.sendall(f"{request}\n".replace("\n", "\r\n").encode("ascii"))
        answer = b""
        while b'"hello"' not in answer:
            data = s.recv(4096)
            assert data
            answer += data
    accept = base64.b64encode(
        hashlib.sha1(b"MDEyMzQ1Njc4OWFiY2RlZg==" + re.findall(rb"258EAF[\w-]+", NOTE.encode())[0]).digest()
    )
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert accept in answer
    [program] = re.findall(r"^```py\n(.*?)^```$", NOTE, re.MULTILINE | re.DOTALL)
    (tmp_path / "client.py").write_text(program.replace(":8443", f":{provider.port}"), encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-u", "client.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as client:
        assert client.stdout is not None
        messages = (json.loads(line) for line in client.stdout)
        assert [next(messages)["type"] for _ in range(3)] == ["hello", "welcome", "snapshot"]
        provider.command("buy 0.1")
        assert any(each["type"] == "update" and each["positions"][0]["lots"] == "0.1" for each in messages)
        provider.command("quit")
        assert [each["code"] for each in messages if each["type"] == "error"] == ["closing"]
        assert client.wait(LIMIT_SECONDS) == 0


def test_every_test_that_the_note_names_exists() -> None:
    names = set(re.findall(r"`(test_\w+)`", NOTE))
    folders = [Path(__file__).parent, Path(__file__).parents[1] / "wire"]
    code = "".join(path.read_text(encoding="utf-8") for folder in folders for path in folder.glob("test_*.py"))
    assert len(names) > 20
    assert {name for name in names if f"def {name}(" not in code} == set()


def test_the_limits_of_the_threat_model_are_those_of_the_code() -> None:
    limits = dict(re.findall(r"^\| (.*?) \| (.*) \|$", NOTE.partition("The limits:\n")[2], re.MULTILINE))
    rules, web = Rules(), WebLimits()
    frames, waiting = clients._WEBSOCKET_LIMITS, login_desk.MOST_WAITING
    assert f"{subscribers_port.MOST_NEW}, " in limits["connections that have not logged in"]
    assert web.head_ms == HANDSHAKE_MS == session.LOGIN_MS == 10_000
    assert (web.head, web.target, web.body) == (16 * 1024, 2048, 64 * 1024)
    assert clients._LOGIN_LIMITS.message == 64 * 1024
    assert f"{frames.burst} at once, then {frames.frames_per_second} a second" in limits["frames of a client"]
    assert ChannelLimits(unsent=4 * 1024 * 1024, stalled_ms=30_000, unsent_ms=300_000) == clients._CHANNEL_LIMITS
    assert (
        f"{clients.MOST_REVOKED} of each expert"
        in limits["connections of revoked or replaced logins whose clients have not ended them"]
    )
    assert limits["attempts that wait for their check"] == (
        f"{waiting}, {login_desk.MOST_WAITING_OF_ADDRESS} of one address, at most {session.MOST_WAIT_MS // 1000} s"
    )
    assert limits["passwords that are checked at a time"] == (
        f"{rules.most_checks}, {rules.most_checks - rules.most_unknown_checks} of them for known logins, "
        f"{rules.most_checks_of_address} of an address for others"
    )
    assert f"{MOST_PROBLEMS} a second" in limits["lines of the log about problems of clients"]


def test_the_table_of_codes_names_the_errors_that_the_provider_sends() -> None:
    """The codes are the first arguments of these calls, as literals."""
    makers = {"Ending", "Refusal", "Revocation", "end"}
    sent = {"disabled", "expired"}  # the states of a user, which a revocation has as its code
    for path in (ROOT / "demos/provider").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in makers and isinstance(node.args[0].value, str):
                    sent.add(node.args[0].value)
    [rows] = re.findall(r"^\| code \| what has happened .*\n\| --- .*\n((?:\|.*\n)+)", NOTE, re.MULTILINE)
    named = {code for row in rows.splitlines() for code in re.findall(r"`([a-z]+)`", row.split("|")[1])}
    assert named == sent
