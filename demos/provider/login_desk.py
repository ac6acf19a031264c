"""The login desk: the one place where logins are checked and sessions are revoked. It owns the provider's state file.

The experts, which talk to the clients, pass credentials to request() and get the answer by a call of theirs. The slow
part of a check, the hash of a password, runs in a few worker threads. Everything else runs in step(), which the desk's
own thread calls when there is work, and at least every STEP_MS. So the file, the users and the guard are used by one
thread only, and no expert waits for a disk or for a hash.

What step() does
- It begins the requested checks. An attempt that the guard lets wait is tried again after that time, at most
  session.MOST_WAIT_MS in all; the answer to a wrong password is held back as long as the guard says. The number of
  waiting attempts is limited, in all and for each address. An attempt that need not wait is checked also when there
  are so many: so those who guess cannot keep others out.
- It ends checked attempts. A granted login gets a seat. A login with more connections than its rights allow loses the
  oldest one: its client may have disappeared long ago, and a client that connects again must get in.
- It reads which users were changed, by this process or by the command, and ends the sessions of those who have lost a
  right. Expired logins end in the same way.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TypeAlias

from demos.provider.attempts import Ban
from demos.provider.guard import Guard, Refusal, address_key, duration_text
from demos.provider.logins import Attempt, Checked, Credentials, finish, prepare
from demos.provider.rights import Grant
from demos.provider.seats import Seat, Seats
from demos.provider.session import MOST_WAIT_MS, Ending
from demos.provider.state_file import StateError, StateFile
from demos.provider.users import UserStore
from demos.terminal.runtime.replacement import replaced
from demos.terminal.runtime.threads import Pool, Signal, present_threads

STEP_MS = 250
_present_step: ContextVar[int] = ContextVar("login_desk_step", default=STEP_MS)


def use_step(milliseconds: int) -> AbstractContextManager[None]:
    """Let the desks that are made in this context take steps of this length: a simulation has less work to do."""
    return replaced(_present_step, milliseconds)


# The threads that hash passwords. Each uses a core and 16 MiB or more for a tenth of a second.
_HASHING_THREADS = 2

# After a login that could not be checked, the file is tried again after this time, in seconds.
_RETRY_S = 1.0

# How often the bans are read for the operator, in seconds.
_BANS_S = 1.0

# Of the bans that begin within this time, so many are reported one by one.
_MOST_BANS_REPORTED = 20

# The attempts that wait, in all and from one address. A client whose attempt would be one more is asked to come again.
MOST_WAITING = 1000
MOST_WAITING_OF_ADDRESS = 64

Answer: TypeAlias = Callable[[Grant | Refusal], None]

_BUSY = Refusal("busy", "the provider cannot check logins at the moment: try again later", 10.0)


@dataclass(eq=False)
class Request:
    """Credentials to check: for which connection, from which address, and whom to tell."""

    connection: int
    credentials: Credentials
    host: str
    answer: Answer
    begun: float


@dataclass(eq=False)
class LoginDesk:
    """See the head of this module. ``wall`` is the time in seconds since 1970; ``report`` gets lines for the log.

    ``changed`` gets the logins of users that were changed, or None if any user may have been changed. ``bans``: those
    in force, for all threads.
    """

    state: StateFile
    wall: Callable[[], float]
    report: Callable[[str], None]
    changed: Callable[[Collection[str] | None], None]
    users: UserStore = field(init=False)
    guard: Guard = field(init=False)
    bans: Sequence[Ban] = ()
    _posted: deque[Callable[[], None]] = field(default_factory=deque)
    _has_work: Signal = field(default_factory=lambda: present_threads().signal())
    _pool: Pool = field(default_factory=lambda: present_threads().pool("hash", _HASHING_THREADS))
    _stopping: bool = False
    _seats: Seats = field(default_factory=Seats)
    _later: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: count[int] = field(default_factory=count)
    _waiting: Counter[str] = field(default_factory=Counter)
    _position: int = 0
    _expiry_checked: float = 0.0
    _step: float = field(default_factory=lambda: _present_step.get() / 1000)
    _problem: str = ""
    _login_problem: str = ""
    _login_retry: float = 0.0
    _bans_due: float = 0.0

    def __post_init__(self) -> None:
        self.users = UserStore(self.state)
        self.guard = Guard(self.state)
        self._position = self.users.position()

    # ---- for other threads

    @property
    def problem(self) -> str:
        """Why logins cannot be checked at present, or ""."""
        return self._login_problem or self._problem

    def request(self, connection: int, credentials: Credentials, host: str, answer: Answer) -> None:
        """Have credentials checked; ``answer`` is called in another thread, once."""
        self.post(lambda: self._begin(Request(connection, credentials, host, answer, self.wall())))

    def take_seat(self, connection: int, grant: Grant, end: Callable[[Ending], None]) -> None:
        """A granted login has become a session: ``end`` is called when it is revoked."""
        self.post(lambda: self._seat(Seat(connection, grant, end)))

    def leave(self, connection: int) -> None:
        """A connection has ended."""
        self.post(lambda: self._seats.remove(connection))

    def post(self, call: Callable[[], None]) -> None:
        """Have something done by the desk's thread, for example a change of a user."""
        self._posted.append(call)
        self._has_work.set()

    def stop(self) -> None:
        """End run()."""
        self._stopping = True
        self._has_work.set()

    # ---- the desk's thread

    def run(self) -> None:
        """Call step() until stop()."""
        try:
            while not self._stopping:
                self.wait(self._step)
                self.step()
        finally:
            self.close()

    def wait(self, seconds: float) -> None:
        """Wait until something is posted, but no longer than this."""
        self._has_work.wait(seconds)

    def step(self) -> None:
        """Do what has been posted, and what was planned for this time or before."""
        for _ in range(len(self._posted)):
            self._posted.popleft()()
        now = self.wall()
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()
        self._revoke(now)
        self._read_bans(now)
        self._retry_login_problem(now)

    def close(self) -> None:
        """End the worker threads. The owner of the state file closes it."""
        self._pool.close()

    def _begin(self, request: Request) -> None:
        try:
            attempt = prepare(self.users, self.guard, request.credentials, request.host, self.wall())
        except (StateError, ValueError) as error:
            self._report_login_problem(str(error))
            request.answer(_BUSY)
            return
        if isinstance(attempt, Attempt):
            if attempt.is_slow:
                self._pool.submit(attempt.check, partial(self._checked, request, attempt))
            else:
                self._end(request, attempt, attempt.check())
        elif attempt.code == "wait" and self.wall() + attempt.wait_s - request.begun <= MOST_WAIT_MS / 1000:
            self._hold(request, attempt.wait_s)
        else:
            request.answer(attempt)

    def _hold(self, request: Request, seconds: float) -> None:
        """Begin the request again after this time, unless too many wait already."""
        address = address_key(request.host)
        if self._waiting.total() >= MOST_WAITING or self._waiting[address] >= MOST_WAITING_OF_ADDRESS:
            request.answer(_BUSY)
            return
        self._waiting[address] += 1
        self._after(seconds, lambda: self._begin_again(request, address))

    def _begin_again(self, request: Request, address: str) -> None:
        self._waiting[address] -= 1
        if not self._waiting[address]:
            del self._waiting[address]
        self._begin(request)

    def _checked(self, request: Request, attempt: Attempt, checked: Callable[[], Checked]) -> None:
        """Called in a worker thread."""
        self.post(lambda: self._end(request, attempt, checked()))

    def _end(self, request: Request, attempt: Attempt, checked: Checked) -> None:
        try:
            result = finish(self.users, self.guard, attempt, checked, self.wall())
        except StateError as error:
            self._report_login_problem(str(error))
            result = _BUSY
        if isinstance(result, Refusal):
            refusal = result
            self._after(refusal.wait_s if refusal.code == "failed" else 0.0, lambda: request.answer(refusal))
        else:
            request.answer(result)

    def _seat(self, seat: Seat) -> None:
        # The user may have been changed since the grant was made.
        if self._ends(seat, self.wall()):
            return
        user = seat.grant.user
        own = [each for each in self._seats.of(user.login) if each.grant.user.id == user.id]
        most = user.rights.connections
        for each in own[: max(0, len(own) + 1 - most)]:
            limit = "1 connection" if most == 1 else f"{most} connections"
            text = f"the login has {limit}, which is its limit: a newer one replaces this"
            self._seats.remove(each.connection)
            each.end(Ending("replaced", text))
        self._seats.add(seat)

    def _revoke(self, now: float) -> None:
        try:
            changes = self.users.changes_since(self._position)
        except StateError as error:
            self._report_problem(str(error))
            return
        self._problem = ""
        if changes.position != self._position or not changes.complete:
            self.changed(changes.logins if changes.complete else None)
        self._position = changes.position
        if not changes.complete:
            concerned = self._seats.all()
        else:
            concerned = [seat for login in changes.logins for seat in self._seats.of(login)]
        # Not at each step: there is one for each login. If the clock was set back, the time is checked at once.
        if not 0 <= now - self._expiry_checked < self._step:
            self._expiry_checked = now
            concerned += self._seats.expired(now)
        for seat in concerned:
            if self._ends(seat, now):
                self._seats.remove(seat.connection)

    def _read_bans(self, now: float) -> None:
        if now < self._bans_due <= now + _BANS_S:
            return
        is_first, self._bans_due = not self._bans_due, now + _BANS_S
        try:
            bans = self.guard.bans(now)
        except StateError as error:
            self._report_problem(str(error))
            return
        if not is_first:
            self._report_new_bans(bans, now)
        self.bans = bans

    def _report_new_bans(self, bans: Sequence[Ban], now: float) -> None:
        known = {(each.login, each.address, each.since) for each in self.bans}
        new = [each for each in bans if (each.login, each.address, each.since) not in known]
        for ban in new[:_MOST_BANS_REPORTED]:
            who = f"{ban.login or 'every login'} from {ban.address}"
            self.report(f"-{who} is banned for {duration_text(ban.until - now)} because of wrong passwords")
        if len(new) > _MOST_BANS_REPORTED:
            self.report(f"-further bans that began at the same time: {len(new) - _MOST_BANS_REPORTED}")

    def _ends(self, seat: Seat, now: float) -> bool:
        """End a session whose grant is no longer valid; whether that was done."""
        try:
            revocation = self.users.revocation(seat.grant, now)
        except StateError as error:
            self._report_problem(str(error))
            # It cannot be read whether the right was taken away: it is not sent anything more.
            revocation = None
            seat.end(Ending("busy", "the provider cannot read its users at the moment: try again later"))
            return True
        if revocation is not None:
            seat.end(Ending(revocation.code, revocation.text))
        return revocation is not None

    def _after(self, seconds: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._later, (self.wall() + seconds, next(self._numbers), call))

    def _report_login_problem(self, text: str) -> None:
        """A login could not be checked."""
        self._report_problem(text)
        self._login_problem = text
        self._login_retry = self.wall() + _RETRY_S

    def _retry_login_problem(self, now: float) -> None:
        """After a login that could not be checked: try whether the file can be written, without waiting for a login."""
        if not self._login_problem or now < self._login_retry <= now + _RETRY_S:
            return
        self._login_retry = now + _RETRY_S
        # The next login may fail for the same reason, which is then reported once more.
        with suppress(StateError):
            self.state.set_setting("written", "", durable=False)
            self._login_problem = ""

    def _report_problem(self, text: str) -> None:
        if text != self._problem:
            self._problem = text
            self.report(f"-{text}")
