"""What the followers of a proxy must not forget, in the proxy's state file, for all threads.

An error of the file does not end a topic: the states are passed on, and only a restart would not know the last of them.
It is reported once. The thread that passes a state on waits for a locked file only once, for a short time: until the
file can be written again, what is to be stored is kept, and written once a second.

A topic is bound to the source whose state was stored last, an upstream server or the login of a publisher: another one
may have other positions. The operator releases all topics with --resume.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from demos.provider.state_file import StateError, StateFile

# How long a write waits while another process has locked the file.
LOCK_WAIT_MS = 50


class RelayMemory:
    """The stores of all topics; each is a Store of the module memory."""

    def __init__(self, path: Path, report: Callable[[str], None]) -> None:
        """Open the file, which must exist. Errors: StateError."""
        self._file = StateFile(path, create=False, timeout=0.5)
        self._file.rows(f"PRAGMA busy_timeout = {LOCK_WAIT_MS}")
        self._lock = threading.Lock()
        self._report = report
        self._problem = ""
        # What could not be written yet, by its name.
        self._unsaved: dict[str, str] = {}

    def store(self, topic: str) -> TopicStore:
        """The store of a topic."""
        return TopicStore(self, f"follower {topic}")

    def read(self, name: str) -> str:
        """What was written last, or "". Errors: StateError."""
        with self._lock:
            return self._unsaved.get(name) or self._file.setting(name)

    def write(self, name: str, text: str) -> None:
        """Replace what is stored, now or when the file can be written again."""
        with self._lock:
            is_failing = bool(self._unsaved)
            self._unsaved[name] = text
            if not is_failing:
                self._save()

    def retry(self) -> None:
        """Write what could not be written before; call it once a second."""
        with self._lock:
            self._save()

    def close(self) -> None:
        """Write what is left, and close the file."""
        self.retry()
        self._file.close()

    def _save(self) -> None:
        try:
            for name, text in list(self._unsaved.items()):
                self._file.set_setting(name, text, durable=False)
                del self._unsaved[name]
        except StateError as error:
            if str(error) != self._problem:
                self._report(f"-the newest state cannot be stored for a restart: {error}")
            self._problem = str(error)
        else:
            self._problem = ""


class TopicStore:
    """What is stored for one topic; a Binding of the module publication.

    ``source``: what feeds the topic at present; ``bound``: the source whose state was stored last. Both may be "".
    """

    def __init__(self, memory: RelayMemory, name: str) -> None:
        self._memory, self._name = memory, name
        self.source = self.bound = ""

    def load(self) -> dict[str, Any] | None:
        """See Store. Errors: StateError; ValueError when it is damaged."""
        text = self._memory.read(self._name)
        if not text:
            return None
        loaded = json.loads(text)
        if not isinstance(loaded, dict):
            return {}
        # A file of an earlier version has no source: the next one is trusted.
        self.bound = str(loaded.pop("source", ""))
        return loaded

    def save(self, data: dict[str, Any]) -> None:
        """See Store."""
        # Without a state, after --resume, any source may begin.
        self.bound = self.source if data.get("mark") else ""
        self._memory.write(self._name, json.dumps({**data, "source": self.bound}))
