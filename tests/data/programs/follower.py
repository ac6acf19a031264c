"""Logs each event, and trades on request."""

from typing import Annotated

from demos.terminal import (
    INIT_SUCCEEDED,
    Event,
    EventKillTimer,
    EventSetTimer,
    Input,
    Print,
    Symbol,
    TimeCurrent,
)


def _check(value: int) -> str | None:
    return None if 0 < value < 65536 else f"{value} is not a port"


Host: Annotated[str, Input("address of the server, 100% optional")] = "127.0.0.1"
Port: Annotated[int, Input("port of the server", check=_check)] = 8081
Factor: Annotated[float, Input("what volumes are multiplied by")] = 1.0
Fast: Annotated[bool, Input("send at once")] = False

ticks = 0


def OnInit() -> int:
    EventSetTimer(1)
    Print("hello from ", Host, ":", Port, " ", Factor, " ", Fast)
    Event("ready", symbol=Symbol())
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    Print("bye, reason ", reason, " after ", ticks, " ticks")


def OnTick() -> None:
    global ticks
    ticks += 1


def OnTimer() -> None:
    Print("timer at ", TimeCurrent())


def OnTrade() -> None:
    Print("trade in ", Symbol())
