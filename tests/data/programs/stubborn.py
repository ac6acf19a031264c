"""Waits for ever in its first event, even when it is asked to stop."""

import time

from demos.terminal import EventSetMillisecondTimer, IsStopped, Print, Sleep


def OnInit() -> None:
    EventSetMillisecondTimer(1)


def OnTimer() -> None:
    Print("waiting")
    while not IsStopped():
        Sleep(10)
    Print("asked to stop")
    while True:
        # In a loop that only computes, CPython 3.11 can overlook a signal that comes while a write just ends.
        time.sleep(0.01)


def OnDeinit(reason: int) -> None:
    Print("deinit")
