"""notes/provider.md is correct: its examples are messages, and its tables name the fields of the code."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from demos.provider import clients, fields, login_desk, messages, protocol, service, session
from demos.provider.guard import Rules
from demos.provider.reports import MOST_PROBLEMS
from demos.wire.channel import ChannelLimits
from demos.wire.tls import HANDSHAKE_MS
from demos.wire.web_server import WebLimits

ROOT = Path(__file__).resolve().parents[3]
NOTE = (ROOT / "notes/provider.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```json\n(.*?)\n```$", NOTE, re.MULTILINE)
CLIENT = {"login", "ack", "resync"}
MESSAGES: list[Any] = [
    messages.Hello, messages.Welcome, messages.Snapshot, messages.Update, messages.Heartbeat, messages.Login,
    messages.Ack, messages.Error,
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
    for limit in (protocol.MOST_FROM_SERVER, protocol.MOST_FROM_CLIENT, protocol.MOST_POSITIONS):
        assert f"{limit:,}" in NOTE
    assert f"at most {fields.DEEPEST}\n  levels" in NOTE
    for limit in (protocol.MOST_SYMBOLS, protocol.LONGEST_NAME, protocol.LONGEST_SECRET, protocol.LONGEST_TEXT):
        assert re.search(rf"at most {limit} ", NOTE)


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
    assert f"{service.MOST_NEW}, " in limits["connections that have not logged in"]
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
