"""Text that is broken into lines of one length, as encodings of bytes are written, and made one line again.

What stands between lines may be an end of line, indentation, a quote and more; it is the same everywhere. The first
line may have a length of its own, the last one has what is left.
"""

from __future__ import annotations

from typing import NamedTuple

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.process import imported

LONGEST = 64  # bytes between two lines, at most


class Lines(NamedTuple):
    """How text is broken.

    Attributes:
        first: characters of the first line, if there is another one.
        line: of each other one; 0 where there is one line only.
        last: of the last one; 0 where it has what is left, which is not more than `line`.
        between: what stands between two lines.
    """

    first: int = 0
    line: int = 0
    last: int = 0
    between: bytes = b""

    def pack(self) -> bytes:
        """Return how a recipe has it."""
        if not self.line:
            return b"\0"
        return uleb(self.line) + uleb(self.first) + uleb(self.last) + uleb(len(self.between)) + self.between


def read(reader: Reader) -> Lines:
    """Return what `pack` wrote.

    Raises:
        CorruptError: it did not.
    """
    line = reader.uleb()
    if not line:
        return Lines()
    lines = Lines(reader.uleb(), line, reader.uleb(), reader.bytes(reader.uleb()))
    if not lines.first or not 0 < len(lines.between) <= LONGEST:
        raise CorruptError("a recipe breaks lines where there are none")
    return lines


def _middle(characters: int, lines: Lines) -> tuple[int, int] | None:
    """Return how many whole lines follow the first of several, and how many characters the last one has, if any.

    None where there is only one line, or where lines do not fit so many characters.
    """
    left = characters - lines.first
    if not lines.line or left <= 0:
        return None
    if not lines.last:
        return left // lines.line, left % lines.line
    whole, over = divmod(left - lines.last, lines.line)
    return None if over or whole < 0 else (whole, lines.last)


def length(characters: int, lines: Lines) -> int:
    """Return how long `characters` are when they are broken."""
    middle = _middle(characters, lines)
    return characters + ((middle[0] + (middle[1] > 0)) * len(lines.between) if middle else 0)


def joined(text: bytes, lines: Lines) -> bytes | None:
    """Return `text` as one line; None where it is not broken so."""
    if not lines.line:
        return text
    imported("numpy")
    import numpy as np

    size = len(lines.between)
    end = len(text) - (size + lines.last if lines.last else 0)
    whole = (end - lines.first) // (size + lines.line)
    if whole < 0 or not size:
        return None
    at = lines.first + whole * (size + lines.line)
    rows = np.frombuffer(text, np.uint8, at - lines.first, lines.first).reshape(whole, size + lines.line)
    rest = text[at:]
    if (rows[:, :size] != np.frombuffer(lines.between, np.uint8)).any():
        return None
    if rest and (len(rest) <= size or rest[:size] != lines.between or (lines.last and len(rest) != size + lines.last)):
        return None
    return text[: lines.first] + rows[:, size:].tobytes() + rest[size:]


def broken(text: bytes, lines: Lines) -> bytes:
    """Return `text`, which is one line, as `lines` has it."""
    middle = _middle(len(text), lines)
    if middle is None:
        return text
    imported("numpy")
    import numpy as np

    whole, last = middle
    size, line = len(lines.between), lines.line if whole else 0
    rows = np.empty((whole, size + line), np.uint8)
    rows[:, :size] = np.frombuffer(lines.between, np.uint8)
    rows[:, size:] = np.frombuffer(text, np.uint8, whole * line, lines.first).reshape(whole, line)
    return text[: lines.first] + rows.tobytes() + (lines.between + text[len(text) - last :] if last else b"")
