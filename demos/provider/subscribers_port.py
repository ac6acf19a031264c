"""The port of a server with subscribers: its settings, its start and end, and what the terminal's program does for it.

The program calls accept() when clients wait, publish() when a topic has a new state, and show() once a second. Experts
serve the clients in threads of their own (experts.py), and the login desk checks the logins in another one
(login_desk.py). These threads call nothing of the terminal: their log lines and events wait in queues, and show()
writes them. A thread that ends because of an unexpected exception is reported by ``failure``: the program cannot go on
without it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from demos.provider.alert_processes import AlertProcesses
from demos.provider.board import Board, Present
from demos.provider.dashboard import Dashboard
from demos.provider.experts import Expert
from demos.provider.garbage import Garbage
from demos.provider.health import HealthLimits
from demos.provider.login_desk import LoginDesk
from demos.provider.operator_actions import OperatorActions
from demos.provider.operator_session import Action, OperatorSession
from demos.provider.reports import LineQueue, error_text
from demos.provider.session import Ending
from demos.provider.shared import PAUSE_SETTING, PAUSED_VALUE, Shared
from demos.provider.state_file import StateFile
from demos.provider.topics import Topic, Topics
from demos.terminal.interfaces import Clock
from demos.terminal.runtime.threads import present_threads
from demos.wire.accepting import Acceptor
from demos.wire.addresses import Address, address_text, family_of, host_text, is_loopback
from demos.wire.crowds import ConnectionLimits, client_key
from demos.wire.descriptors import raise_limit
from demos.wire.http_hosts import option_host
from demos.wire.listening import start_server
from demos.wire.tls_contexts import CertificateFiles, TlsError, fingerprint_text, verifying_context
from demos.wire.web_server import any_host, served_names
from winsock import INVALID_SOCKET, SOCK_STREAM, WSACleanup, closesocket

# Connections that have not logged in yet; see crowds.py. One address may have half of them. A login ends their count:
# the rights of its user limit it from then on. They take at most a quarter of the files that the process may open.
MOST_NEW = 1024

# The files and sockets that are not clients' connections: the state file, logs, the listeners, the wake-up sockets.
_OWN_FILES = 64

# How many connections one event accepts.
MOST_ACCEPTED = 256

# Seconds that the desk waits for another process that writes the state file.
_LOCK_S = 0.5

# The queue of events holds at most so many; older ones are dropped.
_MOST_EVENTS = 10_000


class ServiceError(Exception):
    """The subscribers' port cannot be opened; the text is one line, ``code`` the program's exit code."""

    def __init__(self, text: str, code: int = 2) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Settings:
    """Where the port is and how it is served. ``hosts``: further names that requests may name, behind a proxy.

    ``stale_ticks``: seconds without a tick after which the provider is stale; 0: never. For the alerts see
    AlertProcesses.
    """

    host: str
    port: int
    certificate: str
    key: str
    state: Path
    name: str
    experts: int
    hosts: frozenset[str] = frozenset()
    alert_command: tuple[str, ...] = ()
    alert_webhook: str = ""
    alert_ca: str = ""
    stale_ticks: int = 0


class SubscribersPort:
    """See the head of this module.

    Its methods are for the terminal's thread, except publish(), end_sessions() and log().
    """

    def __init__(
        self,
        settings: Settings,
        topics: Callable[[bytes], Iterable[Topic]],
        clock: Clock,
        report: Callable[[str], None],
        event: Callable[[str, dict[str, object]], None],
        health: HealthLimits,
        *,
        pages: bool = True,
    ) -> None:
        """Open the state file and load the certificate. ``topics`` gets the key of the tickets, see Streams.

        ``pages``: see Dashboard.

        Errors: StateError; ServiceError.
        """
        self.settings = settings
        self.socket = INVALID_SOCKET
        self._family = 0
        self._report, self._event = report, event
        self.failure = ""
        self._lines = LineQueue()
        self._events: deque[tuple[str, dict[str, object]]] = deque(maxlen=_MOST_EVENTS)
        self._settled: deque[int] = deque()
        self._acceptor = Acceptor(report)
        self._numbers = count(1)
        self._experts: list[Expert] = []
        self._owners: dict[int, Expert] = {}
        self._threads = present_threads()
        self._joins: list[Callable[[], None]] = []
        senders = _alert_senders(settings)
        self._state = StateFile(settings.state, timeout=_LOCK_S)
        try:
            dashboard = Dashboard(tls=bool(settings.certificate), health=health, pages=pages)
            self._shared = self._share(topics, clock, dashboard)
            self._new = self._limits()
        except BaseException:
            self._state.close()
            raise
        self.board = Board(self._shared, senders, health)
        self._garbage = Garbage(clock.monotonic())

    def open(self) -> Address:
        """Listen, and start the threads: the address with the real port.

        Errors: StartError; ServiceError when there is no certificate and the address is not loopback.
        """
        server, address = start_server(self.settings.host, self.settings.port, SOCK_STREAM)
        if self._shared.certificate is None and not is_loopback(address):
            closesocket(server)
            WSACleanup()
            raise ServiceError(
                f"{address_text(address)} is not a loopback address, so it needs TLS: give --cert and --key "
                "(`python -m demos provider cert` creates a certificate)"
            )
        self.socket, self._family = server, family_of(address)
        self._start_threads()
        return address

    @property
    def is_paused(self) -> bool:
        """Whether an operator has paused the provider, in this run or before."""
        return self._shared.paused

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the certificate, which subscribers can pin; "" without TLS."""
        certificate = self._shared.certificate
        return fingerprint_text(certificate.fingerprint) if certificate else ""

    @property
    def experts(self) -> Sequence[Expert]:
        """The experts that serve the clients; none before open()."""
        return self._experts

    def act(self, action: Action, operator: OperatorSession, post: Callable[[Callable[[], None]], None]) -> None:
        """Do what an operator has confirmed; see OperatorActions. May be called in any thread."""
        self._shared.act(self._shared, action, operator, post)

    def publish(self, topic: Topic) -> None:
        """The topic has a new state: send it to each of its subscribers. May be called in any thread."""
        for expert in self._experts:
            expert.publish(topic)

    def end_sessions(self, topic: Topic, ending: Ending) -> None:
        """End the sessions of a topic's subscribers. May be called in any thread."""
        for expert in self._experts:
            expert.end_sessions(ending, topic)

    def log(self, line: str) -> None:
        """Write a line to the log, at the next show(). May be called in any thread."""
        self._lines.put(line)

    def accept(self) -> int:
        """Accept the clients that wait, and give each to the expert with the fewest connections; their number."""
        self._settle()
        accepted = 0
        for s, address in self._acceptor.clients(self.socket, self._family, MOST_ACCEPTED, self._make_room):
            number = next(self._numbers)
            expert = min(self._experts, key=lambda each: len(each.clients.connections))
            self._owners[number] = expert
            expert.adopt(number, s, host_text(address), address_text(address))
            self._replace(self._new.add(number, client_key(address)))
            accepted += 1
        return accepted

    def show(self, present: Present) -> None:
        """Write what the threads have reported, reload a new certificate, and show the overview.

        Call it once a second.
        """
        self._settle()
        if self._shared.certificate is not None and (line := self._shared.certificate.reload()):
            self._report(line)
        if report := self._new.report(self._shared.clock.utc_ms()):
            self._report(f"-{report}")
        self._drain()
        self.board.update(self._experts, present)
        self._garbage.timer(self._shared.clock.monotonic())

    def close(self) -> None:
        """End all connections and threads, and close the state file."""
        if self.socket != INVALID_SOCKET:
            closesocket(self.socket)
            self.socket = INVALID_SOCKET
            for expert in self._experts:
                expert.stop()
            self._shared.desk.stop()
            for join in self._joins:
                join()
            self._drain()
            WSACleanup()
        self.board.close()
        self._state.close()
        self._garbage.close()

    def _share(self, topics: Callable[[bytes], Iterable[Topic]], clock: Clock, dashboard: Dashboard) -> Shared:
        settings = self.settings
        try:
            certificate = (
                CertificateFiles(Path(settings.certificate), Path(settings.key) if settings.key else None)
                if settings.certificate
                else None
            )
        except TlsError as error:
            raise ServiceError(str(error)) from None
        desk = LoginDesk(self._state, lambda: clock.utc_ms() / 1000, self._lines.put, dashboard.end_logins)
        actions = OperatorActions(desk, self._experts, self._owners, self._lines.put)
        # With TLS, the certificate proves to a client that it has reached the server that it asks for.
        names = {name for host in (settings.host, "localhost", *settings.hosts) if (name := option_host(host))}
        return Shared(
            server_name=settings.name,
            topics=Topics(topics(self._state.secret("tickets"))),
            desk=desk,
            dashboard=dashboard,
            check_host=served_names(names) if certificate is None else any_host,
            certificate=certificate,
            clock=clock,
            report=self._lines.put_of_client,
            event=lambda kind, fields: self._events.append((kind, fields)),
            granted=self._settled.append,
            ended=self._ended,
            act=actions.act,
            paused=self._state.setting(PAUSE_SETTING) == PAUSED_VALUE,
        )

    def _ended(self, number: int) -> None:
        """Called in an expert's thread."""
        self._owners.pop(number, None)
        self._settled.append(number)

    def _start_threads(self) -> None:
        for number in range(1, self.settings.experts + 1):
            expert = Expert(number, self._shared)
            if problem := expert.open():
                raise ServiceError(problem, 3)
            self._experts.append(expert)
        works = {f"expert {expert.number}": expert.run for expert in self._experts}
        works["the login desk"] = self._shared.desk.run
        self._joins = [self._threads.start(name, partial(self._run, name, work)) for name, work in works.items()]

    def _run(self, name: str, work: Callable[[], None]) -> None:
        """The body of a thread."""
        try:
            work()
        except Exception as error:  # the terminal's thread reports it, and ends the program
            self.failure = f"internal error: the thread of {name} has ended: {error_text(error)}"

    def _limits(self) -> ConnectionLimits[int]:
        """The limits of new connections. A limit of open files that is too low for all connections is reported."""
        most_files = raise_limit()
        if most_files is None:
            return ConnectionLimits(MOST_NEW, MOST_NEW // 2)
        [[total]] = self._state.rows("SELECT total(connections) FROM users WHERE NOT disabled")
        connections = int(total)
        needed = connections + MOST_NEW + _OWN_FILES
        if most_files < needed:
            self._report(
                f"-the process may open {most_files} files, but {needed} may be needed: {connections} connections of "
                f"users, {MOST_NEW} of clients that have not logged in, and {_OWN_FILES} others; raise the limit "
                "(ulimit -n, or LimitNOFILE in a systemd unit)"
            )
        most_new = min(MOST_NEW, max(most_files // 4, 2))
        return ConnectionLimits(most_new, most_new // 2)

    def _settle(self) -> None:
        """Stop counting the connections that have logged in or ended as new ones."""
        for _ in range(len(self._settled)):
            self._new.remove(self._settled.popleft())

    def _replace(self, number: int | None) -> bool:
        """End the new connection that makes room for another one; False when there is none."""
        expert = self._owners.get(number) if number is not None else None
        if expert is None or number is None:
            return False
        expert.drop(number)
        return True

    def _make_room(self) -> bool:
        number = self._new.crowd_member()
        if number is not None:
            # The expert's thread closes it soon; the next one to close is another.
            self._new.remove(number)
        return self._replace(number)

    def _drain(self) -> None:
        for line in self._lines.take():
            self.board.log(line)
            self._report(line)
        for _ in range(len(self._events)):
            self._event(*self._events.popleft())


def _alert_senders(settings: Settings) -> AlertProcesses:
    """What sends the alerts; checks the settings that would otherwise be ignored, or used much later.

    Errors: ServiceError.
    """
    if settings.key and not settings.certificate:
        raise ServiceError("--key is given without --cert: give the file of the certificate too")
    try:
        if settings.alert_ca:
            verifying_context(settings.alert_ca)
        return AlertProcesses(settings.alert_command, settings.alert_webhook, settings.alert_ca)
    except TlsError as error:
        raise ServiceError(f"--alert-ca: {error}") from None
    except ValueError as error:
        raise ServiceError(f"--alert-webhook: {error}") from None
