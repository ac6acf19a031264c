"""The process that posts one alert to a webhook: ``python -m demos.provider.webhook_command``.

Standard input has three lines: the address, the path of a PEM file with the accepted CAs (an empty line: the system's),
and the alert, which is posted as it is. The exit code is 0 when the answer is 2xx; otherwise the reason is on standard
error. alert_processes.py limits how long it may take.
"""

from __future__ import annotations

import sys
from typing import BinaryIO

from demos.terminal.runtime.clock import RealClock
from demos.wire.opening import CallFailed, start_winsock
from demos.wire.posting import PostError, parse_url, post
from winsock import WSACleanup

_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": "winsock-provider",
    "Accept": "*/*",
    "Connection": "close",
}


def main(stream: BinaryIO) -> int:
    """Post the alert on ``stream``; the exit code."""
    address, ca_file, body = (*stream.read().split(b"\n", 2), b"", b"", b"")[:3]
    clock = RealClock()

    def now() -> int:
        return int(clock.monotonic() * 1000)

    try:
        url = parse_url(address.decode("utf-8"))
        start_winsock()
    except (ValueError, CallFailed) as error:
        print(f"the webhook cannot be used: {error}", file=sys.stderr)
        return 1
    try:
        received = post(url, body.strip(), _HEADERS, now, ca_file.decode("utf-8") or None)
    except PostError as error:
        print(f"{url.host}: {error}", file=sys.stderr)
        return 1
    finally:
        WSACleanup()
    if not 200 <= received.status < 300:
        print(f"{url.host}: the answer has the status {received.status}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer))
