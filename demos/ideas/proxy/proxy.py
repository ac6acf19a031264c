"""Passes the states of providers on to many subscribers, by topic, with logins of its own.

For each topic of --upstream it logs in to a server, a provider or another proxy, like a copier. Each topic of --topics
is published by a client whose user has the right for it, for example by `provider --publish`. The subscribers use the
provider's protocol: a copier follows wss://PROXY:PORT/TOPIC. So proxies in a tree serve more subscribers than one
provider can. The users, tokens and bans are in the state file, which `python -m demos provider --state` manages.

A topic is suspended while its source is not connected or is silent: then its subscribers get no heartbeats.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from demos.copier.moments import Moment
from demos.copier.server_url import pin_problem
from demos.ideas.hub_options import CertInput, HostInput, HostsInput, KeyInput, PortInput
from demos.ideas.proxy.proxy_options import (
    published_topics,
    topics_problem,
    tree_problem,
    upstream_inputs,
    upstream_problem,
)
from demos.provider.input_checks import experts_problem, listed, name_problem
from demos.terminal import (
    INIT_FAILED,
    INIT_SUCCEEDED,
    Event,
    EventKillSocket,
    EventKillTimer,
    EventSetSocket,
    EventSetTimer,
    Fail,
    GetTickCount64,
    Input,
    Print,
    TerminalClock,
)
from demos.wire.addresses import address_text, port_of
from demos.wire.backoff import Backoff
from demos.wire.http_hosts import option_hosts
from winsock import INVALID_SOCKET

if TYPE_CHECKING:
    from demos.ideas.proxy.relay_port import RelayPort

Host: HostInput = "127.0.0.1"
Port: PortInput = 8444
cert: CertInput = ""
key: KeyInput = ""
hosts: HostsInput = ""
state: Annotated[
    str, Input("database of users, tokens and bans; see `python -m demos provider --help`", file="database")
] = "proxy.sqlite"
name: Annotated[str, Input("the proxy's name, which subscribers see", check=name_problem)] = "proxy"
experts: Annotated[int, Input("threads that serve the subscribers", check=experts_problem)] = 1
upstream: Annotated[
    str,
    Input(
        "the topics and the servers that feed them, as in anna=wss://provider.example:8443, separated by commas; "
        "another proxy is named with its topic, as in anna=wss://proxy.example:8444/anna",
        check=upstream_problem,
    ),
] = ""
topics: Annotated[str, Input("the topics that clients may publish, separated by commas", check=topics_problem)] = ""
login: Annotated[str, Input("the login at the upstream server: one for all, or one for each, separated by commas")] = ""
password_file: Annotated[
    str,
    Input(
        "file whose first line is the password, for all or for each; empty: the variable WINSOCK_PASSWORD",
        file="read",
        paths=listed,
    ),
] = ""
token_file: Annotated[
    str,
    Input(
        "file whose first line is a token, for all or for each; empty: the variable WINSOCK_TOKEN",
        file="read",
        paths=listed,
    ),
] = ""
ca: Annotated[
    str,
    Input(
        "PEM file of the CAs that verify the upstream server, for all or for each; empty: those of the system",
        file="read",
        paths=listed,
    ),
] = ""
pin: Annotated[
    str,
    Input(
        "SHA-256 fingerprint that the upstream server's certificate must have, for all or for each",
        check=tree_problem(pin_problem),
    ),
] = ""
resume: Annotated[
    bool,
    Input(
        "trust the present sources of all topics, and their states, whatever they are: forget why a topic was stopped, "
        "and which server or login has fed it"
    ),
] = False

# A comment, because the launcher evaluates all annotations: the service needs packages.
proxy = None  # type: RelayPort | None
starting = Backoff(1000, 32_000)
# The time of the last timer event.
timer_at = 0


def OnInit() -> int:
    global proxy, timer_at
    proxy = None
    if not OpenProxy():
        return INIT_FAILED
    Event("started")
    timer_at = GetTickCount64()
    EventSetTimer(1)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    if proxy is not None:
        EventKillSocket(proxy.port.socket)
        proxy.close()


def OnTimer() -> None:
    global timer_at
    if proxy is None:
        return
    now = GetTickCount64()
    event = Moment(now, now - timer_at)
    timer_at = now
    proxy.step(event)
    if proxy.port.socket == INVALID_SOCKET:
        StartPort(proxy)
        return
    # A client that could not be accepted before, for lack of descriptors, is tried again.
    proxy.port.accept()
    EventSetSocket(proxy.port.socket)
    proxy.timer()
    if proxy.port.failure:
        Fail(4, proxy.port.failure)


def OnSocket(s: int, ready: int) -> None:
    if proxy is None:
        return
    if s != proxy.port.socket:
        # A time in the future is not due: unlike a timer event, this one is not the nearest to it.
        proxy.step(Moment(GetTickCount64(), 0), s)
    elif not proxy.port.accept():
        EventKillSocket(s)


def OpenProxy() -> bool:
    """Prepare the port and the upstream connections; whether the inputs can be used."""
    global proxy
    try:
        from demos.ideas.proxy.relay_port import RelayPort, TopicPlan
        from demos.ideas.proxy.upstream import UpstreamError, upstream_settings
        from demos.provider.state_file import StateError
        from demos.provider.subscribers_port import ServiceError, Settings
    except ImportError as error:
        Fail(2, str(error))
        return False
    try:
        inputs = upstream_inputs(upstream, login, password_file, token_file, ca, pin)
        plans = [TopicPlan(each.topic, upstream_settings(each)) for each in inputs]
        plans += [TopicPlan(each) for each in published_topics(topics, inputs)]
        settings = Settings(Host, Port, cert, key, Path(state), name, experts, option_hosts(hosts))
        proxy = RelayPort(settings, plans, TerminalClock(), Print, _event, resume=resume)
    except (ServiceError, StateError, UpstreamError, ValueError) as error:
        Fail(getattr(error, "code", 2), str(error))
        return False
    return True


def StartPort(proxy: RelayPort) -> None:
    """Listen, and report the topics' addresses and the certificate; see start_port()."""
    from demos.provider.port_start import start_port

    address = start_port(proxy.port.open, starting)
    if address is None:
        return
    Event("serving", port=port_of(address), tls=bool(cert))
    scheme = "wss" if cert else "ws"
    for source in proxy.sources:
        Print(f"topic {source.topic.name}: {scheme}://{address_text(address)}/{source.topic.name}")
    if cert:
        Print(f"the certificate's SHA-256, which subscribers can pin: {proxy.port.fingerprint}")
    EventSetSocket(proxy.port.socket)


def _event(kind: str, fields: dict[str, object]) -> None:
    Event(kind, **fields)
