"""How opened bytes are put together again: the plan of a bundle.

A plan says of some bytes, their *content*, which stretches they are made of, in order: bytes of a stream, or what
an opener gives for an inner content, which has stretches of its own. docs/reference/FORMAT.md defines its form. Plans
come from files: what they ask for is compared with limits before it is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.openers.base import Opener

NEXT, MADE, AGAIN = range(3)  # kinds of stretches: the next bytes of a stream, those of an opener, a stream's again
DEEPEST = 8  # contents in contents
LARGEST = 1 << 30  # bytes of a content
ROOM = 64 << 20  # bytes that contents may have together, and
EXPANSION = 16  # so many times what the plan's streams and its result have


class Account:
    """What putting together takes.

    Args:
        memory: bytes that may be held at once.
        total: bytes that may be made in all.

    Attributes:
        peak: bytes that were held at once, at most.
    """

    def __init__(self, memory: int, total: int):
        self._memory, self._total = memory, total
        self._held = self.peak = 0

    def take(self, size: int, working: int = 0) -> None:
        """Hold `size` bytes more, and `working` more for a moment.

        Raises:
            CorruptError: that is more than was stated.
        """
        self._held += size
        self._total -= size
        self.peak = max(self.peak, self._held + working)
        if self.peak > self._memory or self._total < 0:
            raise CorruptError("a bundle's plan asks for more memory or work than is stated for it")

    def give_back(self, size: int) -> None:
        self._held -= size


def most_made(size: int, streams: int) -> int:
    """Return how many bytes a plan may make in all for a result of `size` bytes from `streams` bytes."""
    return ROOM + EXPANSION * (size + streams)


def stream_stretch(stream: int, length: int) -> bytes:
    """Return the plan of a stretch: the next `length` bytes of a stream."""
    return uleb(stream << 2) + uleb(length)


def again_stretch(stream: int, length: int, start: int) -> bytes:
    """Return the plan of a stretch: `length` bytes of a stream from its byte `start` on, which others have as well."""
    return uleb(stream << 2 | AGAIN) + uleb(length) + uleb(start)


def opened_stretch(opener: int, size: int, inner: int, recipe: bytes) -> bytes:
    """Return what stands in a plan before the stretches of an inner content of `inner` bytes, of which an opener (by
    its place in the bundle's list) makes `size` bytes."""
    return uleb(opener << 2 | MADE) + uleb(size) + uleb(inner) + uleb(len(recipe)) + recipe


def check(plan: bytes, sizes: Sequence[int], openers: Sequence[Opener], size: int, account: Account) -> None:
    """Go through a whole plan before its streams are there.

    Args:
        plan: as the functions above made it.
        sizes: bytes of the streams that it names, by number.
        openers: the openers that it names, by number.
        size: bytes of the content.
        account: what it may take.

    Raises:
        CorruptError: it has not this form, does not use up the streams, or takes more than it may.
    """
    _Walk(plan, sizes, None, openers, account).whole(size)


def rebuild(plan: bytes, streams: Sequence[bytes], openers: Sequence[Opener], size: int, account: Account) -> bytes:
    """Return the content of `size` bytes that a whole plan stands for, as `check` says.

    Raises:
        CorruptError: there is none, or it takes more than it may.
    """
    return _Walk(plan, list(map(len, streams)), streams, openers, account).whole(size)


class _Walk:
    """One way through a plan; where there are no streams, nothing is made. No list is kept of stretches, which may be
    half as many as the plan's bytes."""

    def __init__(
        self,
        plan: bytes,
        sizes: Sequence[int],
        streams: Sequence[bytes] | None,
        openers: Sequence[Opener],
        account: Account,
    ):
        self._plan, self._sizes, self._openers, self._account = Reader(plan), list(sizes), openers, account
        self._streams = None if streams is None else [memoryview(stream) for stream in streams]
        self._used = [0] * len(sizes)

    def whole(self, size: int) -> bytes:
        made = self._content(size, 0)
        if self._plan.left() or self._used != self._sizes:
            raise CorruptError("a bundle holds more than its plan asks for")
        return made

    def _content(self, size: int, depth: int) -> bytes:
        """Return a content; nothing if it is only checked."""
        if size > LARGEST or depth > DEEPEST:
            raise CorruptError("a bundle's plan has a content that is too large, or too deep inside of others")
        self._account.take(size, size)
        made = BytesIO()  # which gives what it holds without a copy, and need not grow
        if self._streams is not None and size:
            made.seek(size - 1)
            made.write(b"\0")
            made.seek(0)
        at = 0
        while at < size:
            at += self._stretch(made, size - at, depth)
        return made.getvalue()

    def _stretch(self, made: BytesIO, left: int, depth: int) -> int:
        """Write the next stretch to `made`; return its bytes, 1 to `left`."""
        word, length = self._plan.uleb(), self._plan.uleb()
        number, kind = word >> 2, word & 3
        known: Sequence[object] = self._openers if kind == MADE else self._sizes
        if not 1 <= length <= left or number >= len(known) or kind > AGAIN:
            raise CorruptError("a bundle's plan names a stretch that is not there")
        if kind == MADE:
            piece = self._made(self._openers[number], length, depth)
            if self._streams is not None:
                made.write(piece)
            return length
        start = self._plan.uleb() if kind == AGAIN else self._used[number]
        if start + length > self._sizes[number]:
            raise CorruptError("a bundle's plan names bytes behind the end of a stream")
        if kind == NEXT:
            self._used[number] += length
        if self._streams is not None:
            made.write(self._streams[number][start : start + length])
        return length

    def _made(self, opener: Opener, length: int, depth: int) -> bytes:
        """Return what an opener makes; nothing if it is only checked."""
        inner, recipe = self._plan.uleb(), self._plan.uleb()
        if recipe > min(opener.longest_recipe(length), self._plan.left()):
            raise CorruptError(f"a bundle's plan has a recipe of opener {opener.name} that is too long")
        start = self._plan.pos
        self._plan.pos += recipe
        content = self._content(inner, depth + 1)
        # The result's bytes count as those of the content around it, but for the moment until they are there.
        self._account.take(0, length + opener.memory(inner, length))
        made = b""
        if self._streams is not None:
            made = opener.close(content, bytes(self._plan.data[start : start + recipe]), length)
            if len(made) != length:
                raise CorruptError(f"opener {opener.name} gives {len(made):,} bytes where {length:,} belong")
        self._account.give_back(inner)
        return made
