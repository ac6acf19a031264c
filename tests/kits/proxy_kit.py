"""Proxies in processes of their own, and their subscribers."""

from __future__ import annotations

from pathlib import Path

from service_kit import RunningProxy, RunningServer, Subscriber, add_user

from demos.provider.messages import Error, Snapshot, Welcome


def folder(path: Path, name: str) -> Path:
    (path / name).mkdir(exist_ok=True)
    return path / name


def proxy_below(
    path: Path, upstream: RunningServer, name: str, topic: str, *arguments: str, **options: bool
) -> RunningProxy:
    """A proxy whose topic `main` is fed by this server's topic."""
    token = add_user(upstream.folder, name, upstream.program)
    own = folder(path, name)
    (own / "token").write_text(token, encoding="utf-8")
    (own / "token").chmod(0o600)
    scheme = "wss" if upstream.certificate else "ws"
    inputs = [f"--upstream=main={scheme}://localhost:{upstream.port}{topic}", f"--login={name}"]
    inputs.append(f"--token-file={own / 'token'}")
    if upstream.certificate:
        inputs.append(f"--ca={upstream.certificate}")
    return RunningProxy(own, *inputs, **options)


def subscriber(proxy: RunningProxy, login: str = "anna", **rights: object) -> Subscriber:
    token = add_user(proxy.folder, login, "proxy", **rights)
    return logged_in(proxy, login, token)


def logged_in(proxy: RunningProxy, login: str, token: str) -> Subscriber:
    """A subscriber of the topic `main`, as soon as the proxy has a state of it."""
    while True:
        found = Subscriber(proxy, path="/ws/main", login=login, token=token)
        answer = found.receive()
        if isinstance(answer, Welcome):
            assert isinstance(found.receive(), Snapshot)
            return found
        assert isinstance(answer, Error)
        assert answer.code in ("unavailable", "closing"), answer
        found.close()
