"""Contents and file objects that the tests of the streaming interfaces share."""

from __future__ import annotations

import io
import random

from hypothesis import strategies as st

NOISE = random.Random(7).randbytes(3000)
TEXT = b"".join(b"line %d of a text that is easy to compress\n" % number for number in range(120))
MIXED = TEXT[:2500] + NOISE[:1500] + bytes(1200) + TEXT[2500:]

contents = st.one_of(
    st.just(b""),
    st.binary(max_size=5000),
    st.builds(lambda piece, count: piece * count, st.binary(min_size=1, max_size=30), st.integers(1, 200)),
    st.integers(0, len(MIXED)).map(lambda size: MIXED[:size]),
)


def pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    """Cut `data` in pieces of the given sizes, over and over."""
    out, position, turn = [], 0, 0
    while position < len(data):
        size = max(1, sizes[turn % len(sizes)]) if sizes else len(data)
        out.append(data[position : position + size])
        position, turn = position + size, turn + 1
    return out


class Pipe(io.RawIOBase):
    """A readable that cannot seek and gives 1 to `most` bytes a read; it fails at `fail_at`."""

    def __init__(self, data: bytes, most: int = 1 << 30, fail_at: int | None = None):
        self._rest = io.BytesIO(data)
        self._most = most
        self._fail_at = fail_at
        self.reads = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        self.reads += 1
        if self._fail_at is not None and self._rest.tell() >= self._fail_at:
            raise OSError(5, "Input/output error")
        view = memoryview(buffer).cast("B")[: 1 + (self.reads * 7) % self._most]
        return self._rest.readinto(view)


class ShortFile(Pipe):
    """The same, but it can seek."""

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._rest.seek(offset, whence)

    def tell(self) -> int:
        return self._rest.tell()


class OnlyRead:
    """An object with `read` and nothing else."""

    def __init__(self, data: bytes):
        self.read = io.BytesIO(data).read


class OnlyWrite:
    """An object with `write` and nothing else; it takes at most `most` bytes a call and says how many."""

    def __init__(self, most: int = 1 << 30):
        self.data = b""
        self._most = most

    def write(self, data: bytes) -> int:
        taken = bytes(data[: self._most])
        self.data += taken
        return len(taken)
