"""Provider, broker and copier as processes, with a real mosquitto over TLS: kills, restarts, rights, two providers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from copier_process_kit import RunningCopier
from mosquitto_kit import COPIER, PASSWORDS, PREFIX, PROVIDER, RULES, Mosquitto, RawClient, needs_mosquitto
from service_kit import RunningProvider
from web_kit import certificate, wait_until

pytestmark = [needs_mosquitto]


def secret(folder: Path, login: str, password: str = "") -> Path:
    """The file of a broker's password."""
    file = folder / f"{login}.password"
    file.write_text(password or PASSWORDS[login], encoding="ascii")
    file.chmod(0o600)
    return file


class Site:
    """A broker with TLS, and the programs that use it."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.folder = folder
        self.certificate = certificate(folder)
        self.broker = Mosquitto(folder, certificate=self.certificate, **options)  # type: ignore[arg-type]

    def provider(self, name: str = "provider", *arguments: str) -> RunningProvider:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return RunningProvider(
            folder,
            f"--broker={self.broker.url()}",
            f"--broker-login={PROVIDER}",
            f"--broker-password-file={secret(self.folder, PROVIDER)}",
            f"--broker-ca={self.certificate}",
            f"--account={folder / 'account.sqlite'}",
            f"--name={name}",
            *arguments,
            tls=False,
        )

    def copier(self, provider: RunningProvider, *arguments: str, password: str = "") -> RunningCopier:
        return RunningCopier(
            self.folder,
            provider,
            "no token",
            "--url=",
            "--token-file=",
            f"--broker={self.broker.url()}",
            f"--login={COPIER}",
            f"--password-file={secret(self.folder, COPIER, password)}",
            f"--ca={self.certificate}",
            *arguments,
        )

    def raw(self, login: str = PROVIDER) -> RawClient:
        return RawClient(self.broker, login)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def says(copier: RunningCopier, text: str) -> Callable[[], bool]:
    return lambda: text in copier.log()


def test_a_trade_is_copied_through_the_broker_and_a_copier_that_comes_later_joins(site: Site):
    provider = site.provider()
    provider.command("buy 0.25")
    copier = site.copier(provider)
    copier.wait_for("0.25")
    provider.command("sell 0.35")
    copier.wait_for("-0.10")
    assert provider.stop() == 0
    copier.wait(says(copier, "the provider is gone"))


def test_a_killed_provider_is_gone_by_its_last_will_and_followed_again_when_it_returns(site: Site):
    provider = site.provider()
    copier = site.copier(provider)
    provider.command("buy 0.25")
    copier.wait_for("0.25")
    provider.process.kill()
    copier.wait(says(copier, "the provider is gone"))
    provider = site.provider()
    provider.command("buy 0.10")
    copier.wait_for("0.35")
    assert "nothing is copied before" not in copier.log()


@pytest.mark.parametrize("settings", [(), ("persistence false",)])
def test_both_sides_connect_again_when_the_broker_was_killed_and_restarted(tmp_path: Path, settings: tuple[str, ...]):
    site = Site(tmp_path, settings=settings)
    provider = site.provider()
    copier = site.copier(provider)
    provider.command("buy 0.25")
    copier.wait_for("0.25")
    site.broker.kill()
    copier.wait(says(copier, "the connection is lost"))
    provider.command("buy 0.10")
    site.broker.start()
    copier.wait_for("0.35")
    assert "nothing is copied before" not in copier.log()


def test_a_killed_copier_trades_nothing_twice(site: Site):
    provider = site.provider()
    copier = site.copier(provider)
    provider.command("buy 0.25")
    copier.wait_for("0.25")
    for lots in ("0.30", "0.35"):
        copier.kill()
        provider.command("buy 0.05")
        copier.start()
        copier.wait_for(lots)
    assert copier.deals() == sorted(copier.deals())


def test_a_second_provider_under_one_prefix_ends_and_the_first_is_followed_on(site: Site):
    first = site.provider("first")
    copier = site.copier(first)
    first.command("buy 0.25")
    copier.wait_for("0.25")
    second = site.provider("second")
    assert second.process.wait(60) == 4
    assert "another provider ('first', run " in second.log()
    first.command("buy 0.10")
    copier.wait_for("0.35")
    assert "two providers" not in copier.log()


def test_a_provider_takes_the_place_of_a_silent_one(site: Site):
    old = site.raw()
    hello = b'{"type":"hello","version":1,"server":"old","stream":"%s","heartbeat_ms":200,"time":1}' % (b"0" * 32)
    old.publish(f"{PREFIX}/status", hello)
    provider = site.provider()
    assert provider.wait("broker")["state"] == "publishing"
    assert "this one takes its place" in provider.log()


def test_a_wrong_password_is_tried_once(site: Site):
    provider = site.provider()
    copier = site.copier(provider, password="a wrong one")
    copier.wait(says(copier, "the broker refuses the login"))
    assert "or when the file of the password or token changes" in copier.log()
    secret(site.folder, COPIER)
    provider.command("buy 0.25")
    copier.wait_for("0.25")
    assert [event["code"] for event in copier.events("refused")] == ["failed"]
    assert "a wrong one" not in copier.log()


def test_a_login_without_the_right_to_ask_is_told_which_topic_it_needs(tmp_path: Path):
    site = Site(tmp_path, rules=[f"user {PROVIDER}", f"topic readwrite {PREFIX}/#", f"user {COPIER}", "topic read x"])
    copier = site.copier(site.provider())
    copier.wait(says(copier, f"the broker refuses the question to the provider ({PREFIX}/ask/copier-"))


def test_a_login_without_the_right_to_read_the_summary_is_reported_with_the_topic(tmp_path: Path):
    rules = [rule for rule in RULES if not rule.endswith("/summary")]
    site = Site(tmp_path, rules=rules)
    copier = site.copier(site.provider())
    copier.wait(says(copier, f"nothing has arrived from {PREFIX}/summary"))
    assert "the server is silent" not in copier.log()


def test_a_login_without_the_right_to_read_the_answer_is_reported_with_the_topic(tmp_path: Path):
    site = Site(tmp_path, rules=[rule for rule in RULES if "/answer/" not in rule])
    copier = site.copier(site.provider())
    copier.wait(says(copier, f"the login needs the right to read {PREFIX}/answer/copier-"))


def test_a_provider_without_the_right_to_publish_says_so(tmp_path: Path):
    site = Site(tmp_path, rules=[f"user {PROVIDER}", f"topic read {PREFIX}/#"])
    provider = site.provider()
    wait_until(lambda: "the broker refuses a publication: Not authorized" in provider.log())
    assert "the login needs all rights below the prefix" in provider.log()


def test_a_subscriber_cannot_pose_as_the_provider(site: Site):
    provider = site.provider()
    provider.command("buy 0.25")
    copier = site.copier(provider)
    copier.wait_for("0.25")
    intruder = site.raw(COPIER)
    for topic in ("status", "state/EURUSD", "summary", "heartbeat", "answer/copier-0"):
        intruder.publish(f"{PREFIX}/{topic}", b"{}")
    provider.command("buy 0.10")
    copier.wait_for("0.35")
    assert "a message is ignored" not in copier.log()
