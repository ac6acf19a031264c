"""Counts the characters that a parser looks at, so that tests measure its work without a clock."""

from __future__ import annotations

from typing import Any


class Work:
    """The number of characters that were passed to a method of a counted text or that were copied."""

    def __init__(self) -> None:
        self.characters = 0


class CountedText(str):
    """A text that adds its length to the work at each call of a method that reads all of it."""

    work: Work

    @classmethod
    def of(cls, text: str, work: Work) -> CountedText:
        counted = cls(text)
        counted.work = work
        return counted

    def _count(self) -> None:
        self.work.characters += len(self)

    def count(self, *arguments: Any) -> int:
        self._count()
        return super().count(*arguments)

    def find(self, *arguments: Any) -> int:
        self._count()
        return super().find(*arguments)

    def replace(self, *arguments: Any) -> str:
        self._count()
        return CountedText.of(super().replace(*arguments), self.work)

    def split(self, *arguments: Any) -> list[str]:
        self._count()
        return [CountedText.of(part, self.work) for part in super().split(*arguments)]

    def splitlines(self, *arguments: Any) -> list[str]:
        self._count()
        return [CountedText.of(part, self.work) for part in super().splitlines(*arguments)]

    def partition(self, mark: str) -> tuple[str, str, str]:
        self._count()
        before, found, after = super().partition(mark)
        return CountedText.of(before, self.work), found, CountedText.of(after, self.work)

    def strip(self, *arguments: Any) -> str:
        self._count()
        return CountedText.of(super().strip(*arguments), self.work)

    def __getitem__(self, key: Any) -> str:
        part = CountedText.of(super().__getitem__(key), self.work)
        part._count()
        return part


class CountedBytes(bytes):
    """Bytes whose slices and decoded text are counted."""

    work: Work

    @classmethod
    def of(cls, data: bytes, work: Work) -> CountedBytes:
        counted = cls(data)
        counted.work = work
        return counted

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        if isinstance(part, int):
            return part
        self.work.characters += len(part)
        return CountedBytes.of(part, self.work)

    def find(self, mark: Any, start: int = 0, end: int | None = None) -> int:
        end = len(self) if end is None else end
        found = super().find(mark, start, end)
        self.work.characters += (end if found < 0 else found) - start
        return found

    def decode(self, *arguments: Any) -> str:
        self.work.characters += len(self)
        return CountedText.of(super().decode(*arguments), self.work)
