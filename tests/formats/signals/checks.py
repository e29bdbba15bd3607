"""What all tests of signals share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nzip.errors import CorruptError, LimitError, UnsupportedError


def refused_by(read: Callable[[Path], object], path: Path) -> str | None:
    """Return the line that a file is refused with, if it is; any other error is a failure."""
    try:
        read(path)
    except (CorruptError, UnsupportedError, LimitError) as error:
        return str(error)
    return None
