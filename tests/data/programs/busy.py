"""Never returns from its first timer event."""

from demos.terminal import EventSetMillisecondTimer, Print


def OnInit() -> int:
    EventSetMillisecondTimer(1)
    return 0


def OnTimer() -> None:
    Print("busy from now on")
    while True:
        pass
