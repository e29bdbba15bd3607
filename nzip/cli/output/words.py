"""Words and numbers as people read them: names, sizes, ratios, durations, columns; on any terminal."""

from __future__ import annotations

import codecs
import contextlib
import math
import os
import sys
from collections.abc import Sequence

PLAIN = {
    "\u2026": "...", "\u2192": "->", "\u2013": "-", "\u2014": "-", "\u2212": "-", "\u00d7": "x", "\u2264": "<=",
    "\u2265": ">=", "\u00b7": "*", "\u00b2": "2", "\u00b1": "+-",
}  # fmt: skip


def _plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replace characters that an encoding lacks: a sign's plain form, or the character's number as an escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    plain = (PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lacking)
    return "".join(plain), error.end


def write_any_text() -> None:
    """Have stdout and stderr take any text, whatever the locale: what an encoding lacks is written plainly."""
    codecs.register_error("nzip-plain", _plainly)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # it is closed, or somebody's own
            stream.reconfigure(errors="nzip-plain")  # type: ignore[union-attr]


def shown(name: str | os.PathLike[str]) -> str:
    """Return `name` on one line: what is not printable is escaped."""
    text = os.fspath(name)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def shown_input(name: str) -> str:
    """Return `name` as `shown` does; `-` is stdin."""
    return "stdin" if name == "-" else shown(name)


def one_line(text: str) -> str:
    return shown(" ".join(text.split()))


def size_text(size: int) -> str:
    """Return a size with a unit and three digits that count: `1.52 MiB`."""
    if size < 1024:
        return f"{size} B"
    value = float(size)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        value /= 1024
        if value < 1023.5 or unit == "TiB":
            break
    return f"{value:.{0 if value >= 99.95 else 1 if value >= 9.995 else 2}f} {unit}"


def digits(value: float, count: int = 4) -> str:
    """Return a number with `count` digits that count: `4.055`, `0.01234`, `1,234,567`; never zero for what is more."""
    if not value or not math.isfinite(value):
        return f"{value:g}"
    exponent = int(f"{value:.{count - 1}e}".partition("e")[2])  # after rounding
    return f"{value:,.{max(0, count - 1 - exponent)}f}"


def significant(value: float) -> float:
    """Return a number with six digits that count, for JSON."""
    return float(f"{value:.6g}")


def ratio_text(size: int, raw_size: int) -> str:
    """Return the ratio, bytes of content for a compressed byte: `4.055`; more is better."""
    return digits(raw_size / size) if raw_size and size else "-"


def bits_text(size: int, raw_size: int) -> str:
    """Return bits of output for a byte of content."""
    return digits(8 * size / raw_size) if raw_size else "-"


def speed_text(speed: float) -> str:
    """Return bytes a second with a unit: `1.52 MiB/s`, `0.0123 B/s`."""
    return f"{size_text(round(speed)) if speed >= 10 else f'{digits(speed, 3)} B'}/s"


def seconds_text(seconds: float) -> str:
    """Return a duration: `0.2 s`, `3 min 05 s`, `2 h 03 min`."""
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def columns(rows: Sequence[tuple[str, ...]], left: tuple[int, ...] = (0,)) -> list[str]:
    """Return `rows` as aligned lines; the columns in `left` are left-aligned."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def time_text(seconds: int) -> str:
    """Return a time, given in seconds since 1970, as `2001-09-09 01:46:40 UTC`."""
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):
        return f"{seconds} s"
