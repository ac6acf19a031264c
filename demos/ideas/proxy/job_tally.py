"""What the processes of ``python -m demos proxy`` have reported: the demo's tally, with the proxies between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from demos.provider.demo_tally import DemoTally


class ProxyTally(DemoTally):
    """``servers``: for each proxy the server that feeds it; ``parents``: for each copier its proxy."""

    def __init__(self, factors: Mapping[str, Any], servers: Mapping[str, str], parents: Mapping[str, str]) -> None:
        super().__init__(factors)
        self.parents = parents
        # The port on which a proxy listens; 0 before it does.
        self.ports = dict.fromkeys(servers, 0)
        # How often a proxy has logged in at its server, and the code of the last refusal, or "".
        self.logins = dict.fromkeys(servers, 0)
        self.refused = dict.fromkeys(servers, "")
        # The subscribers of each proxy at present.
        self.subscribers = dict.fromkeys(servers, 0)

    def take(self, name: str, event: Mapping[str, Any]) -> None:
        """See DemoTally."""
        if name in self.ports:
            self._take_proxy_event(name, event)
        elif name in self.copiers or event["kind"] not in ("login", "disconnected"):
            connections = {each: copier.connections for each, copier in self.copiers.items()}
            super().take(name, event)
            # No copier is connected to the provider, so its start says nothing about them.
            for each, copier in self.copiers.items():
                copier.connections = connections[each]

    def _take_proxy_event(self, name: str, event: Mapping[str, Any]) -> None:
        kind = event["kind"]
        step = {"login": 1, "disconnected": -1}.get(kind, 0)
        self.subscribers[name] += step
        if copier := self.copiers.get(event.get("login", "")):
            copier.connections += step
        if kind == "started":
            self.subscribers[name] = 0
            for each, copier in self.copiers.items():
                if self.parents[each] == name:
                    copier.connections = 0
        elif kind == "serving":
            self.ports[name] = event["port"]
        elif kind == "connected":
            self.logins[name] += 1
            self.refused[name] = ""
        elif kind == "refused":
            self.refused[name] = event["code"]
