"""Devices that tests may lose: those of the machine are not for tests, which may run as root."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest


def null(folder: Path) -> Path:
    """Make a copy of /dev/null in `folder`; the test is skipped where that cannot be done."""
    place = folder / "null"
    try:
        os.mknod(place, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        place.write_bytes(b"x")
    except OSError:
        pytest.skip("devices cannot be made, or opened, here")
    return place
