"""How every result begins: schema, tool, versions, machine, date, seed, settings."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

SCHEMA = 1


def start(tool: str) -> dict[str, Any]:
    """Return how every result begins: schema, tool, versions, machine and date."""
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return {"schema": SCHEMA, "tool": tool, **software(), "machine": machine(), "date": date}


def head(tool: str, *, seed: int | None = None, **settings: Any) -> dict[str, Any]:
    """Return how a measure's result begins: `start`, then seed and settings."""
    return {**start(tool), **({} if seed is None else {"seed": seed}), "settings": settings}


def software() -> dict[str, Any]:
    """Return the versions that a result names."""
    import numba
    import numpy

    import nzip

    return {
        "nzip": nzip.__version__,
        "format": nzip.FORMAT_VERSION,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "numba": numba.__version__,
    }


def package_version(name: str) -> str:
    """Return the version of an installed package."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def machine() -> dict[str, Any]:
    """Return what a result says of the machine, which is not its name."""
    return {"arch": platform.machine(), "system": platform.system(), "cores": os.cpu_count()}
