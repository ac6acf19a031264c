"""Runs mosquitto, an MQTT broker, on loopback, with the logins and the access rules of a folder.

The job ``python -m demos broker`` uses it. The program ends with an error when mosquitto has ended, and mosquitto ends
with the program.
"""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from demos.ideas.broker.mosquitto import Certificate, broker_files, missing_problem, start_broker, write_configuration
from demos.terminal import (
    INIT_FAILED,
    INIT_SUCCEEDED,
    Event,
    EventKillTimer,
    EventSetMillisecondTimer,
    Fail,
    Input,
    Print,
)
from demos.wire.addresses import port_of
from demos.wire.listening import StartError, start_server
from demos.wire.ports import listening_port_problem
from winsock import SOCK_STREAM, WSACleanup, closesocket

Port: Annotated[int, Input("port to listen on; 0: any free one", check=listening_port_problem)] = 0
folder: Annotated[
    str,
    Input(
        "folder with the files `passwords` and `rules`, for all files of the broker", file="read", paths=broker_files
    ),
] = ""
cert: Annotated[str, Input("certificate file (PEM) for TLS; empty: no TLS", file="read")] = ""
key: Annotated[str, Input("key file (PEM) of the certificate; empty: it is in the certificate's file", file="read")] = (
    ""
)

PERIOD_MS = 50
END_SECONDS = 5.0

# What mosquitto logs, and how often it is started with another free port.
IN_USE = "Address already in use"
MOST_STARTS = 5

broker: subprocess.Popen[bytes] | None = None
port = 0
listening = False
# The size of the log before this start of mosquitto, in bytes.
logged = 0
starts = 0


def OnInit() -> int:
    global broker, listening, starts
    broker, listening, starts = None, False, 0
    if problem := missing_problem() or ("" if folder else "give the folder of the broker: --folder"):
        Fail(2, problem)
        return INIT_FAILED
    if not Start():
        return INIT_FAILED
    EventSetMillisecondTimer(PERIOD_MS)
    return INIT_SUCCEEDED


def OnTimer() -> None:
    global listening
    assert broker is not None
    code = broker.poll()
    if code is not None:
        if not listening and IN_USE in NewLog() and Port == 0 and starts < MOST_STARTS:
            Start()
            return
        last = (NewLog().splitlines() or ["it has logged nothing"])[-1]
        # Before it listens, its port may be in use, or a file is wrong.
        Fail(1 if listening else 3, f"mosquitto has ended with exit code {code}: {last}")
    elif not listening and " running" in NewLog():
        listening = True
        Print(f"mosquitto is process {broker.pid} and listens on port {port}")
        Event("listening", port=port, pid=broker.pid)


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    if broker is None:
        return
    broker.terminate()
    with suppress(subprocess.TimeoutExpired):
        broker.wait(END_SECONDS)
        return
    broker.kill()
    broker.wait()


def Start() -> bool:
    """Start mosquitto. Another process may take a free port before it does: then it ends, and is started again."""
    global broker, port, logged, starts
    starts += 1
    try:
        port = Port or FindFreePort()
        tls = Certificate(Path(cert), Path(key or cert)) if cert else None
        write_configuration(Path(folder), port, tls)
        logged = len(ReadLog())
        broker = start_broker(Path(folder))
    except StartError as error:
        Fail(3, str(error))
        return False
    except OSError as error:
        Fail(4, f"mosquitto cannot be started: {error}")
        return False
    return True


def FindFreePort() -> int:
    s, address = start_server("127.0.0.1", 0, SOCK_STREAM)
    closesocket(s)
    WSACleanup()
    return port_of(address)


def ReadLog() -> bytes:
    log = Path(folder) / "mosquitto.log"
    return log.read_bytes() if log.exists() else b""


def NewLog() -> str:
    """What this start of mosquitto has logged so far."""
    return ReadLog()[logged:].decode("utf-8", "replace")
