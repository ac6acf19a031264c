"""Array functions. https://www.mql5.com/en/docs/array"""

from __future__ import annotations

from collections.abc import Sized

__all__ = ["ArraySize"]


def ArraySize(array: Sized) -> int:
    """The number of elements."""
    return len(array)
