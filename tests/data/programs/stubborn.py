"""Never returns from its first timer event, not even when it is asked to stop."""

from demos.terminal import EventSetMillisecondTimer, IsStopped, Print, Sleep


def OnInit() -> None:
    EventSetMillisecondTimer(1)


def OnTimer() -> None:
    Print("waiting")
    while not IsStopped():
        Sleep(10)
    Print("asked to stop")
    while True:
        pass


def OnDeinit(reason: int) -> None:
    Print("deinit")
