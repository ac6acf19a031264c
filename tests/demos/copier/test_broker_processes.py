"""Provider, broker and copier as processes, with a real mosquitto over TLS: kills, restarts, rights, two providers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from copier_process_kit import RunningCopier
from mosquitto_kit import COPIER, PASSWORDS, PROVIDER, Mosquitto, RawClient, needs_mosquitto
from service_kit import RunningProvider
from web_kit import certificate

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
