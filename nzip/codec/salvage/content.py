"""From the parts of a damaged file to its content: blocks are decoded, and what is lost is told, or stands as zeros."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

import xxhash

from nzip.codec.blocks import DEFAULT_MAX_MEMORY, Limits, decode_block, memory_needed
from nzip.codec.like import UNKNOWN, Known, Like
from nzip.codec.past import Past
from nzip.codec.salvage.evidence import Begun, Ended, Found, Missing, Part
from nzip.codec.salvage.faults import Fault, Lost
from nzip.codec.salvage.finder import Finder
from nzip.codec.threads import Task, Workers, thread_count
from nzip.errors import LimitError, NzipError
from nzip.formats.container.structures import Header

ZEROS = 1 << 20  # bytes of zeros that are handed out at a time
ZEROS_RATIO = 1024  # bytes of zeros, for a byte of the file, that its word is taken for ...
ZEROS_FREE = 64 << 20  # ... beside these
REACH = 1 << 27  # bytes that blocks may copy from, where the header that says so is damaged


class Salvage:
    """Gives, piece by piece, all of a file's content that is sound.

    Args:
        file: a binary file; one that cannot seek is first copied to a temporary one.
        lost: `"zeros"` puts zeros in the place of what is lost, where its size is known and, in all, not above 64 MiB
            and 1,024 times the file's size; `"gaps"` leaves it out.
        max_memory: as for `Decompressor`; a block that needs more is lost.
        threads: blocks decoded at the same time; 0 for all cores.
        unplaced: give as well the sound blocks that are found by search where their place in the content is not
            known. They may be those of other nzip files that lay in what is lost.
        max_output_size: most bytes to give, zeros included; None for no limit.
        like, primer: as for `Decompressor`.

    Attributes:
        faults: what was found to be lost so far.
        header: the first header of a member that could be read, once it was read.
        size: bytes of content given so far.

    Raises:
        ValueError: `lost` is neither of the two.
        LimitError: when iterated, there is more content than `max_output_size`.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        lost: Lost = "zeros",
        max_memory: int = DEFAULT_MAX_MEMORY,
        threads: int = 1,
        unplaced: bool = False,
        max_output_size: int | None = None,
        like: Like = None,
        primer: Like = None,
    ):
        if lost not in ("zeros", "gaps"):
            raise ValueError(f"lost is 'zeros' or 'gaps', not {lost!r}")
        self._file = file
        self._zeros = lost == "zeros"
        self._limits = Limits(max_memory)
        self._workers = Workers(thread_count(threads))
        self._pieces = self._run()
        self._unplaced = unplaced
        self._max_output_size = max_output_size
        self._blocks = 0
        self._zeros_left = 0
        self._finder: Finder | None = None
        self._begun = 0  # where the member's content begins
        self._given = Known.of(like, primer)
        self._past = Past(0)  # what blocks may copy from
        self._hash: xxhash.xxh3_64 | None = xxhash.xxh3_64()  # of the member's content; None where some is lost
        self.faults: list[Fault] = []
        self.size = 0

    @property
    def header(self) -> Header | None:
        return None if self._finder is None else self._finder.header

    def __iter__(self) -> Iterator[bytes]:
        """Give the content; each byte once, whatever number of iterators there are."""
        return self._pieces

    def read(self) -> bytes:
        """Return all of the content that was not given yet."""
        return b"".join(self)

    def _run(self) -> Iterator[bytes]:
        with contextlib.ExitStack() as stack:
            stack.callback(self._workers.close)
            file, start = self._file, 0
            if hasattr(file, "seekable") and file.seekable():
                start = file.tell()
            else:
                file = stack.enter_context(tempfile.TemporaryFile())
                shutil.copyfileobj(self._file, file)
            self._finder = Finder(file, start, self._limits, unplaced=self._unplaced, known=self._given)
            self._zeros_left = ZEROS_RATIO * file.seek(0, os.SEEK_END) + ZEROS_FREE
            yield from self._decoded(self._finder.parts())

    def _decoded(self, parts: Iterator[Part]) -> Iterator[bytes]:
        """Decode what was found, some blocks ahead, in order."""
        queue: deque[tuple[Part, Task[bytes] | None]] = deque()
        memory = before = 0
        beside = UNKNOWN
        for part in parts:
            if isinstance(part, Begun):
                before, beside = 0, self._given.beside(part.header)
            needed = memory_needed(part.header) if isinstance(part, Found) else 0
            while queue and (len(queue) >= self._workers.count or memory + needed > self._limits.max_memory):
                memory -= memory_needed(queue[0][0].header) if isinstance(queue[0][0], Found) else 0
                yield from self._content(*queue.popleft())
            task = None
            if isinstance(part, Found) and part.raw is None:
                task = self._workers.submit(partial(decode_block, part.header, part.payload, beside, before))
            before += isinstance(part, Found) or (isinstance(part, Missing) and part.size != 0)
            queue.append((part, task))
            memory += needed
        while queue:
            yield from self._content(*queue.popleft())

    def _content(self, part: Part, task: Task[bytes] | None) -> Iterator[bytes]:
        if isinstance(part, Begun):
            self._hash = xxhash.xxh3_64()
            self._begun = self.size
            reach = REACH if part.header is None else part.header.reach
            self._past = Past(min(reach, self._limits.max_memory), self._given.beside(part.header).old)
            return
        if isinstance(part, Ended):
            if self._hash is not None and self._hash.intdigest() != part.end.check:
                self.faults.append(Fault("all blocks match, and the check of the whole content does not", part.offset))
            elif self._hash is not None and part.size not in (None, self.size - self._begun):
                self.faults.append(Fault("the header states another content size than the blocks have", part.offset))
            return
        if isinstance(part, Found):
            try:
                raw = self._raw(part, task)
            except NzipError as error:
                part = Missing(part.offset, str(error), part.header.raw_size)
            else:
                self._admit(len(raw))
                self._blocks += 1
                self.size += len(raw)
                if self._hash is not None:
                    self._hash.update(raw)
                yield raw
                return
        elif part.size != 0:
            self._past.lose(placed=part.size is not None)
        if part.size == 0:
            self.faults.append(Fault(part.reason, part.offset))
            return
        self._hash = None
        left = part.size or 0
        if self._zeros and left > self._zeros_left:
            # A few bytes of an index can claim any size.
            reason = f"{part.reason}; the file says that it held {left:,} bytes, which are too many to stand as zeros"
            part = Missing(part.offset, reason, None)
            left = 0
        self.faults.append(Fault(part.reason, part.offset, self._blocks, self.size, part.size, part.to_end))
        self._blocks += 1
        if self._zeros:
            self._admit(left)
            self._zeros_left -= left
        while self._zeros and left:
            count = min(left, ZEROS)
            left -= count
            self.size += count
            yield bytes(count)

    def _raw(self, part: Found, task: Task[bytes] | None) -> bytes:
        """Return the content of a block, and keep what others may copy of it.

        Raises:
            NzipError: the block is damaged, or one that it copies from is lost.
        """
        try:
            literals = part.raw if task is None else task.result()
        except NzipError:
            self._past.lose()
            raise
        assert literals is not None
        try:
            return self._past.content(part.header, part.payload, literals)
        except NzipError:
            self._past.add(literals)
            raise

    def _admit(self, count: int) -> None:
        if self._max_output_size is not None and self.size + count > self._max_output_size:
            raise LimitError(
                f"what can be saved is larger than {self._max_output_size:,} bytes (max_output_size); raise it"
            )


def salvage(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO,
    *,
    lost: Lost = "zeros",
    max_memory: int = DEFAULT_MAX_MEMORY,
    threads: int = 1,
    unplaced: bool = False,
    max_output_size: int | None = None,
    like: Like = None,
    primer: Like = None,
) -> tuple[bytes, list[Fault]]:
    """Return all that is sound of a damaged nzip file, and what is lost.

    Args:
        source: a path, the bytes of a file, or a binary file object.
        lost, max_memory, threads, unplaced, max_output_size, like, primer: as for `Salvage`, which gives the content
            piece by piece.

    Raises:
        LimitError: there is more content than `max_output_size`.
        OSError: the file cannot be read.
    """
    with contextlib.ExitStack() as stack:
        if isinstance(source, bytes | bytearray | memoryview):
            source = io.BytesIO(source)
        elif isinstance(source, str | os.PathLike):
            source = stack.enter_context(open(source, "rb"))
        saved = Salvage(
            source,
            lost=lost,
            max_memory=max_memory,
            threads=threads,
            unplaced=unplaced,
            max_output_size=max_output_size,
            like=like,
            primer=primer,
        )
        return saved.read(), saved.faults
