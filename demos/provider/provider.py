"""Publishes an account: to subscribers with logins over secure WebSockets, and to original signal clients over TCP.

The subscribers' port serves copiers, the operator's dashboard and metrics (service.py; notes/provider.md describes its
messages). Experts in threads of their own serve its clients; this program, in the terminal's thread, reads the account,
publishes it and accepts. The plain port serves the article's programs: the position of the chart's symbol, without
logins (plain.py).

With --broker it also publishes at an MQTT broker (broker_feed.py; notes/broker.md).

OnInit opens the subscribers' port; if the host name cannot be resolved, OnTimer tries again. OnTrade publishes each
trade at once, OnTimer also the account's figures, and OnSocket accepts subscribers as soon as they connect. With --fast
the plain port does not wait for the timer either.

While an operator has paused the provider in the dashboard, it sends the account nowhere: not to the clients of the
plain port, a broker or a proxy either.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from demos.copier.broker_login import BROKER_PACKAGE
from demos.copier.positions import GetSymbolLot
from demos.copier.server_url import pin_problem, url_problem
from demos.copier.strategy import Strategy
from demos.provider.account_reading import ReadAccount, ReadPositions
from demos.provider.broker_inputs import BrokerInputs
from demos.provider.feeds import Feed, Output
from demos.provider.input_checks import (
    command_arguments,
    command_files,
    command_problem,
    count_problem,
    experts_problem,
    listed,
    name_problem,
    port_problem,
    symbols_problem,
)
from demos.provider.plain import PlainServer
from demos.provider.publish_inputs import PublishInputs
from demos.signal.protocol import step_problem, symbol_problem
from demos.terminal import (
    INIT_FAILED,
    INIT_SUCCEEDED,
    SYMBOL_VOLUME_STEP,
    TERMINAL_CONNECTED,
    Alert,
    DoubleToString,
    Event,
    EventKillSocket,
    EventKillTimer,
    EventSetSocket,
    EventSetTimer,
    Fail,
    Input,
    Print,
    Symbol,
    SymbolInfoDouble,
    TerminalClock,
    TerminalInfoInteger,
)
from demos.wire.addresses import address_text, port_of
from demos.wire.backoff import Backoff
from demos.wire.codepages import codepage_problem
from demos.wire.http_hosts import hosts_problem, option_hosts
from demos.wire.mqtt_url import mqtt_url_problem
from winsock import INVALID_SOCKET

if TYPE_CHECKING:
    from demos.provider.service import Service

Host: Annotated[str, Input("name or address of the subscribers' port; other than loopback needs --cert")] = "127.0.0.1"
Port: Annotated[int, Input("the subscribers' port; 0: any free one, -1: none", check=port_problem)] = 8443
cert: Annotated[str, Input("certificate file (PEM) for TLS; empty: no TLS, on loopback only", file="read")] = ""
key: Annotated[str, Input("key file (PEM) of the certificate; empty: it is in the certificate's file", file="read")] = (
    ""
)
state: Annotated[
    str, Input("database of users, tokens and bans; see `python -m demos provider --help`", file="database")
] = "provider.sqlite"
name: Annotated[str, Input("the provider's name, which subscribers see", check=name_problem)] = "provider"
only: Annotated[str, Input("publish these symbols, separated by commas; empty: all", check=symbols_problem)] = ""
hosts: Annotated[
    str,
    Input("further host names for requests, separated by commas, as behind a reverse proxy", check=hosts_problem),
] = ""
alert_command: Annotated[
    str,
    Input(
        "run this command for each alert, which is one line of JSON on its standard input",
        check=command_problem,
        file="read",
        paths=command_files,
    ),
] = ""
alert_webhook: Annotated[str, Input("post each alert to this https address; keep it in the file of --config")] = ""
alert_ca: Annotated[str, Input("CA file (PEM) for the webhook; empty: the system's CAs", file="read")] = ""
stale_ticks: Annotated[
    int,
    Input(
        "the provider is unhealthy after this many seconds without a tick of the chart's symbol; 0: never, because no "
        "ticks arrive while the market is closed",
        check=count_problem,
    ),
] = 0
experts: Annotated[int, Input("threads that serve the subscribers", check=experts_problem)] = 1
plain_host: Annotated[
    str, Input("name or address of the plain port; it has no logins, so everyone who can connect can read it")
] = "127.0.0.1"
plain_port: Annotated[int, Input("the plain port; 0: any free one, -1: none", check=port_problem)] = 8081
codepage: Annotated[int, Input("code page of the plain port's messages", check=codepage_problem)] = 1252
fast: Annotated[
    bool,
    Input("the plain port sends each change at once, not at a timer event, and only once; not for original clients"),
] = False
repeat: Annotated[
    int,
    Input(
        "the plain port repeats the position after this many seconds without a change; use less than the copiers' "
        "--silence (60 by default); 0: never",
        check=count_problem,
    ),
] = 20
broker: Annotated[
    str,
    Input(
        "also publish at this MQTT broker, as in mqtts://broker.example:8883/signals/anna, or mqtt://127.0.0.1/signals "
        "on this computer; empty: none",
        check=mqtt_url_problem,
    ),
] = ""
broker_login: Annotated[str, Input("the login at the broker; empty: none")] = ""
broker_password_file: Annotated[
    str,
    Input(
        "file whose first line is the broker's password; empty: the environment variable WINSOCK_BROKER_PASSWORD",
        file="read",
    ),
] = ""
broker_ca: Annotated[
    str, Input("PEM file of the CAs that verify the broker; empty: those of the system", file="read")
] = ""
broker_pin: Annotated[
    str, Input("SHA-256 fingerprint that the broker's certificate must have, instead of a CA", check=pin_problem)
] = ""
publish: Annotated[
    str,
    Input("also publish at this topic of a proxy, as in wss://proxy.example:8444/anna; empty: none", check=url_problem),
] = ""
publish_login: Annotated[str, Input("the login at the proxy, with the right to publish the topic")] = ""
publish_password_file: Annotated[
    str,
    Input(
        "file whose first line is the password at the proxy; empty: the environment variable WINSOCK_PASSWORD",
        file="read",
    ),
] = ""
publish_token_file: Annotated[
    str,
    Input("file whose first line is a token at the proxy; empty: the environment variable WINSOCK_TOKEN", file="read"),
] = ""
publish_ca: Annotated[
    str, Input("PEM file of the CAs that verify the proxy; empty: those of the system", file="read")
] = ""
publish_pin: Annotated[
    str, Input("SHA-256 fingerprint that the proxy's certificate must have, instead of a CA", check=pin_problem)
] = ""
strategy: Annotated[int, Input("trade a small strategy at every N-th tick; 0: never", check=count_problem)] = 0
pause: Annotated[str, Input("the strategy does not trade while this file exists", file="read")] = ""

# A comment, because the launcher evaluates all annotations: the packages of Service are needed for its port only.
service = None  # type: Service | None
plain: PlainServer | None = None
# What the account is also published to; see feeds.py.
feeds: list[Feed] = []
trader = Strategy(0, "")
starting = Backoff(1000, 32_000)
last_tick: int | None = None
unpublished = ""


def OnInit() -> int:
    global service, plain, feeds, trader, last_tick, unpublished
    service, plain, feeds, last_tick, unpublished = None, None, [], None, ""
    trader = Strategy(strategy, pause)
    if plain_port != -1 and not OpenPlain():
        return INIT_FAILED
    if Port != -1 and not OpenService():
        return INIT_FAILED
    if not OpenFeeds():
        return INIT_FAILED
    if plain is None and service is None and not feeds:
        Fail(2, "nothing to publish on: --Port and --plain-port are both -1, and there is no --broker and no --publish")
        return INIT_FAILED
    Event("started", symbol=Symbol(), position=DoubleToString(GetSymbolLot(Symbol()), 2))
    EventSetTimer(1)
    if service is not None:
        StartService(service)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    if plain is not None:
        plain.close()
    for feed in feeds:
        feed.close()
    if service is not None:
        EventKillSocket(service.socket)
        service.close()


def OnTrade() -> None:
    if plain is not None:
        plain.pause(IsPaused())
        plain.trade(GetSymbolLot(Symbol()))
    Publish()


def OnTimer() -> None:
    trader.report_pause()
    if plain is not None:
        plain.pause(IsPaused())
        plain.timer()
    Publish()
    if service is not None:
        ServeSubscribers(service)
    for feed in feeds:
        feed.timer()
        if feed.failure:
            Fail(feed.code, feed.failure)


def OnSocket(s: int, ready: int) -> None:
    if service is not None and s == service.socket:
        if not service.accept():
            EventKillSocket(s)
    elif feed := next((each for each in feeds if each.owns(s)), None):
        feed.ready(s, ready)
    elif plain is not None:
        plain.ready(s, ready)


def OnTick() -> None:
    global last_tick
    last_tick = TerminalClock().utc_ms()
    trader.tick(GetSymbolLot(Symbol()))


def OpenPlain() -> bool:
    """Prepare the plain port; whether the chart's symbol can be published there."""
    global plain
    problem = symbol_problem(Symbol(), codepage) or step_problem(SymbolInfoDouble(Symbol(), SYMBOL_VOLUME_STEP))
    if problem:
        Fail(2, f"{problem}")
        return False
    plain = PlainServer(plain_host, plain_port, Symbol(), codepage, fast, repeat)
    plain.trade(GetSymbolLot(Symbol()))
    return True


def OpenFeeds() -> bool:
    """Prepare the feeds that the inputs name; whether they can be used."""
    return OpenBrokerFeed() and OpenPublishFeed()


def OpenPublishFeed() -> bool:
    """Prepare the feed to a proxy, if there is one; whether the inputs can be used."""
    inputs = (publish_login, publish_password_file, publish_token_file, publish_ca, publish_pin)
    if not publish:
        if any(inputs):
            Fail(2, "--publish is missing: without it the other inputs of the proxy have no effect")
            return False
        return True
    try:
        from demos.provider.publish_feed import PublishError, open_publish_feed
    except ImportError as error:
        Fail(2, str(error))
        return False
    try:
        account = ReadAccount(listed(only))
        feeds.append(open_publish_feed(PublishInputs(publish, *inputs, name), account, TerminalClock()))
    except (PublishError, ValueError) as error:
        Fail(2, str(error))
        return False
    return True


def OpenBrokerFeed() -> bool:
    """Prepare the feed to a broker, if there is one; whether the inputs can be used."""
    if not broker:
        if broker_login or broker_password_file or broker_ca or broker_pin:
            Fail(2, "--broker is missing: without it the other inputs of the broker have no effect")
            return False
        return True
    inputs = BrokerInputs(broker, broker_login, broker_password_file, broker_ca, broker_pin, name)
    try:
        from demos.provider.broker_start import FeedError, open_feed
    except ImportError as error:
        Fail(2, f"{error}; {BROKER_PACKAGE}")
        return False
    try:
        feeds.append(open_feed(inputs, ReadAccount(listed(only)), TerminalClock(), Alert))
    except FeedError as error:
        Fail(2, str(error))
        return False
    return True


def OpenService() -> bool:
    """Prepare the subscribers' port: packages, files and the account's first state."""
    global service
    try:
        from demos.provider.service import Service, ServiceError, Settings
        from demos.provider.state_file import StateError
    except ImportError as error:
        Fail(2, f"{error}; or use the plain port alone: --Port -1")
        return False
    alerts = (command_arguments(alert_command), alert_webhook, alert_ca)
    settings = Settings(Host, Port, cert, key, Path(state), name, experts, option_hosts(hosts), *alerts, stale_ticks)
    try:
        service = Service(settings, ReadAccount(listed(only)), TerminalClock(), Print, _event)
    except (ServiceError, StateError, ValueError) as error:
        Fail(getattr(error, "code", 2), str(error))
        return False
    return True


def StartService(service: Service) -> None:
    """Listen, and report the address and the certificate; see start_port()."""
    from demos.provider.port_start import start_port

    address = start_port(service.open, starting)
    if address is None:
        return
    scheme = "https" if cert else "http"
    Event("serving", port=port_of(address), tls=bool(cert))
    Print(f"subscribers and dashboard: {scheme}://{address_text(address)}")
    if cert:
        Print(f"the certificate's SHA-256, which subscribers can pin: {service.fingerprint}")
    if service.is_paused:
        Alert(
            "the provider is still paused: subscribers cannot log in, and nothing is sent to the clients of the plain "
            "port, a broker or a proxy, until an operator resumes it in the dashboard"
        )
    EventSetSocket(service.socket)


def ServeSubscribers(service: Service) -> None:
    """A timer event of the subscribers' port: listen, accept, and report."""
    if service.socket == INVALID_SOCKET:
        StartService(service)
        return
    # A client that could not be accepted before, for lack of descriptors, is tried again.
    service.accept()
    EventSetSocket(service.socket)
    service.timer(ReadPositions(listed(only)), last_tick)
    if service.failure:
        Fail(4, service.failure)


def IsPaused() -> bool:
    """Whether an operator has paused the provider, in this run or before."""
    return service is not None and service.is_paused


def Publish() -> None:
    """Publish the account's present state; a state that cannot be published is reported once.

    A paused provider has no subscribers at its own port, and its feeds are suspended.
    """
    global unpublished
    outputs: list[Output] = [*feeds]
    if service is not None and service.socket != INVALID_SOCKET:
        outputs.append(service)
    if not outputs:
        return
    problem = ""
    account = ReadAccount(listed(only)) if TerminalInfoInteger(TERMINAL_CONNECTED) else None
    if account is None:
        problem = "the terminal cannot read the account, or is not connected to the broker"
    for output in outputs:
        try:
            if account is None or (output is not service and IsPaused()):
                output.suspend()
            else:
                output.observe(account)
        except ValueError as error:
            problem = str(error)
    if problem and problem != unpublished:
        Alert(f"the account's state cannot be published, so nothing is sent to subscribers: {problem}")
    elif unpublished and not problem:
        Print("the account's state is published again")
    unpublished = problem


def _event(kind: str, fields: dict[str, object]) -> None:
    Event(kind, **fields)
