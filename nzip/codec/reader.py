"""The decoded content of a file as a raw stream: from the start, at any place by the index, or what is sound of it.

Reading from the start streams through `Contents` and checks everything. The first `seek` that is not a no-op switches
to random access over the block index; each block is still checked, and the check of the whole content of a member once
all its blocks were read in order.
"""

from __future__ import annotations

import io
from array import array
from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, BinaryIO, NamedTuple, cast

import xxhash

from nzip.codec.blocks import Limits, at_block, decode_block, memory_needed
from nzip.codec.decompressor import Contents
from nzip.codec.index import Places, load_index
from nzip.codec.like import UNKNOWN, Known
from nzip.codec.members import HEAD, READ_SIZE, Window, parsed, read_at
from nzip.codec.salvage.content import Salvage
from nzip.codec.threads import Task, Workers, thread_count
from nzip.errors import CorruptError, NzipError
from nzip.formats.container.copies import Copies
from nzip.formats.container.parser import Block, Parser
from nzip.formats.container.structures import MAX_BLOCK_HEADER, MAX_HEADER, BlockHeader, Header
from nzip.formats.container.wire import OutOfBytes, Reader

KEPT_BLOCKS = 16  # decoded blocks that a reader keeps at most, and no more than an eighth of its memory


def can_seek(file: Any) -> bool:
    """Whether `file` can seek; one that only has `read` cannot."""
    return hasattr(file, "seekable") and file.seekable()


class ContentReader(io.RawIOBase):
    """The decoded content of a file as a raw stream."""

    def __init__(self, file: BinaryIO, *, max_memory: int, threads: int, known: Known = UNKNOWN):
        self._file = file
        self._known = known
        self._member: tuple[int, Known] = (-1, UNKNOWN)  # the latest member's first block, and what is known beside it
        self._limits: dict[str, Any] = {
            "max_memory": max_memory, "threads": threads, "like": known.old, "primer": known.primer,
        }  # fmt: skip
        self._max_memory = max_memory
        self._workers = Workers(thread_count(threads))
        self._seekable = can_seek(file)
        self._start = file.tell() if self._seekable else 0
        self._pos = 0
        self._dirty = False  # a read raised, or the place it began at is to be gone back to
        self._failure: NzipError | None = None
        # From the start
        self._contents: Contents | None = Contents(file.read, **self._limits)
        # Random access
        self._places: Places | None = None
        self._ahead: deque[_Ahead] = deque()
        self._kept: OrderedDict[int, bytes] = OrderedDict()  # the content of blocks,
        self._literals: OrderedDict[int, bytes] = OrderedDict()  # and what of it others may copy, where that is less
        self._literal_starts: dict[int, array[int]] = {}  # where these begin, of the member whose first block it is
        self._last = -1  # the block that was read last
        self._whole = (0, 0, xxhash.xxh3_64())  # first and next block of what was read in order, and its hash
        self._wrong: CorruptError | None = None
        self.header: Header | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._pos

    def readinto(self, buffer: Any) -> int:
        with memoryview(buffer).cast("B") as view:
            if self._dirty:
                self._recover()
            self._dirty = True
            data = self._read_sequential(len(view)) if self._places is None else self._read_indexed(len(view))
            view[: len(data)] = data
            self._pos += len(data)
            self._dirty = False
            return len(data)

    def go_back(self, position: int) -> None:
        """Let the next read begin at `position`, which was read before."""
        self._dirty = True
        self._pos = position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_CUR:
            offset += self._pos
        elif whence == io.SEEK_END:
            if not self._seekable:
                raise io.UnsupportedOperation("the size is not known: the file under this one cannot seek")
            offset += self._index().raw_size
        elif whence != io.SEEK_SET:
            raise ValueError(f"whence must be 0, 1 or 2, not {whence}")
        offset = max(0, offset)
        if offset == self._pos:
            return offset
        if self._seekable:
            self._pos = min(offset, self._index().raw_size)
        elif offset > self._pos:
            scratch = bytearray(READ_SIZE)
            while self._pos < offset:
                if not self.readinto(memoryview(scratch)[: offset - self._pos]):
                    break
        else:
            raise io.UnsupportedOperation("cannot go back: the file under this one cannot seek")
        return self._pos

    def close(self) -> None:
        if self._contents is not None:
            self._contents.close()
            self._contents = None
        self._workers.close()
        super().close()

    def _recover(self) -> None:
        """Find the place of the next read again."""
        if self._failure is not None and not self._seekable:
            raise self._failure
        if not self._seekable:
            raise OSError("an earlier read was interrupted, and the file under this one cannot go back; open it again")
        if self._places is None:
            try:
                self._index()
            except NzipError:
                self._restart()

    def _restart(self) -> None:
        """Read from the start again, up to the place."""
        if self._contents is not None:
            self._contents.close()
        self._file.seek(self._start)
        self._contents = Contents(self._file.read, **self._limits)
        left = self._pos
        while left:
            left -= len(self._read_sequential(min(left, READ_SIZE)))

    def _read_sequential(self, count: int) -> bytes:
        if self._contents is None:
            return b""
        try:
            return self._contents.read(count)
        except NzipError as error:
            self._failure = error
            raise
        finally:
            if self.header is None:
                self.header = self._contents.header

    def _index(self) -> Places:
        if self._places is None:
            file = cast(BinaryIO, _Rest(self._file, self._start)) if self._start else self._file
            places = load_index(file, self._max_memory)
            if self.header is None:
                self.header = Header.parse(Reader(read_at(file, 0, MAX_HEADER)))
            if self._contents is not None:
                self._contents.close()
                self._contents = None
            self._file = file
            self._start = 0
            self._places = places
        return self._places

    def _read_indexed(self, count: int) -> bytes:
        places = self._index()
        number = places.at(self._pos)
        if number < 0:
            if self._wrong is not None and count:
                raise self._wrong
            return b""
        inside = self._pos - places[number].raw_offset
        return self._decoded(number)[inside : inside + count]

    @property
    def source(self) -> BinaryIO:
        """The file under this one, which `places` are in."""
        return self._file

    def places(self) -> Places:
        """Return where all blocks are. From then on what is read is sought in them.

        Raises:
            CorruptError, UnsupportedError, LimitError: as `load_index`.
        """
        return self._index()

    def block(self, number: int, following: Sequence[int] = ()) -> bytes:
        """Return the content of block `number`, and have those `following` decoded meanwhile, which are asked for next.

        Raises:
            CorruptError, UnsupportedError, LimitError: it cannot be decoded.
        """
        return self._decoded(number, following)

    def _decoded(self, number: int, wanted: Sequence[int] | None = None) -> bytes:
        """Return block `number`, and have the blocks after it that are `wanted` decoded meanwhile; the next ones, where
        that is not said."""
        raw = self._kept.get(number)
        if raw is not None:
            self._kept.move_to_end(number)
            self._check_whole(number, raw)
            self._last = number
            return raw
        while self._ahead and self._ahead[0][0] < number:
            self._ahead.popleft().task.cancel()
        needed = 0
        if not self._ahead or self._ahead[0][0] != number:
            self._ahead.clear()
            header, payload = self._load(number)
            needed = memory_needed(header)
            self._make_room(needed)
            self._ahead.append(_Ahead(number, header, payload, Task(self._decoder(number, header, payload))))
        place = self._index()[number]
        _, header, copies, task = self._ahead[0]
        try:
            raw = task.result()
            if header.copies_size:
                self._make_room(needed)
                self._literals[number] = raw
                raw = self._copied(number, header, copies, raw)
        except CorruptError as error:
            raise at_block(error, number, place.raw_offset, place.raw_size) from None
        self._ahead.popleft()
        # Only a reader that goes from block to block gains from reading ahead.
        if self._workers.count > 1 and (wanted is not None or number == self._last + 1):
            following = self._ahead[-1][0] + 1 if self._ahead else number + 1
            stop = min(number + 1 + self._workers.count, len(self._index()))
            for ahead in range(following, stop) if wanted is None else wanted[: self._workers.count]:
                if ahead < following:
                    continue
                try:
                    header, payload = self._load(ahead)
                except NzipError:
                    break  # it is raised when that block is read
                # Without knowing the others' headers, each is taken to need as much as this one.
                needed = memory_needed(header) * (len(self._ahead) + 1)
                if needed > self._max_memory:
                    break
                task = self._workers.submit(self._decoder(ahead, header, payload))
                self._ahead.append(_Ahead(ahead, header, payload, task))
        self._make_room(needed)
        self._kept[number] = raw
        self._check_whole(number, raw)
        self._last = number
        return raw

    def _copied(self, number: int, header: BlockHeader, payload: bytes, literals: bytes) -> bytes:
        """Return the content of block `number`, which copies."""
        first, _ = self._index().start_of(number)
        old = self._beside(number).old
        before = number - first + (old is not None)
        found = Copies(payload[: header.copies_size], header.raw_size, header.literal_size, before)
        # Each block is decoded once, whatever the order of what is copied from it.
        starts = self._starts(first, number)
        wanted: dict[int, list[tuple[int, int, int]]] = {}
        inside: list[tuple[int, int, int]] = []
        count = 0
        for copy in found:
            if not copy.back:
                continue
            count += 1
            if copy.back > number - first:
                assert old is not None
                inside.append((count - 1, copy.offset, copy.length))
                continue
            at, left = starts[number - copy.back - first] + copy.offset, copy.length
            if at >= starts[number - copy.back - first + 1]:
                raise CorruptError("a block copies what does not stand before it")
            while left and at < starts[number - first]:
                block = bisect_right(starts, at, hi=number - first) - 1
                part = min(left, starts[block + 1] - at)
                wanted.setdefault(first + block, []).append((count - 1, at - starts[block], part))
                at, left = at + part, left - part
        pieces = [b""] * count
        for piece, at, length in inside:
            if old is None or at + length > len(old):
                raise CorruptError("a block copies what is not in the file that its member is like")
            pieces[piece] = old.read(at, at + length)
        for block in sorted(wanted):
            source = self._literals_of(block)
            for piece, begin, length in wanted[block]:
                pieces[piece] += source[begin : begin + length]
        following = iter(pieces)
        return found.content(literals, lambda *_: next(following))

    def _beside(self, number: int) -> Known:
        """Return what is known beside the member of a block.

        Raises:
            UnsupportedError: it is not there.
        """
        first, offset = self._index().start_of(number)
        if self._member[0] != first:
            header = parsed(Window(self._file), offset, Header.parse, MAX_HEADER)
            self._member = (first, self._known.needed(header))
        return self._member[1]

    def _decoder(self, number: int, header: BlockHeader, payload: bytes) -> Callable[[], bytes]:
        """Return what decodes a block."""
        if header.beside is None and not header.primed:
            return partial(decode_block, header, payload)
        before = number - self._index().start_of(number)[0]
        return partial(decode_block, header, payload, self._beside(number), before)

    def _starts(self, first: int, number: int) -> array[int]:
        """Return where the literals of each block begin that is before `number` in the member from block `first` on,
        and where those of `number` do."""
        starts = self._literal_starts.setdefault(first, array("Q", (0,)))
        places = self._index()
        while len(starts) <= number - first:
            block = first + len(starts) - 1
            place = places[block]
            head = read_at(self._file, place.offset, min(HEAD, place.size))
            try:
                header = BlockHeader.parse(Reader(head, partial=True))
            except OutOfBytes:
                header = BlockHeader.parse(Reader(read_at(self._file, place.offset, MAX_BLOCK_HEADER)))
            if (header.size, header.raw_size) != (place.size, place.raw_size):
                raise CorruptError("the end index does not describe the blocks before it")
            starts.append(starts[-1] + header.literal_size)
        return starts

    def _literals_of(self, number: int) -> bytes:
        """Return the literals of a block."""
        found = self._literals.get(number)
        if found is None and number in self._kept:
            place = self._index()[number]
            header = BlockHeader.parse(Reader(read_at(self._file, place.offset, MAX_BLOCK_HEADER)))
            found = None if header.copies_size else self._kept[number]
        if found is None:
            header, payload = self._load(number)
            needed = memory_needed(header)
            self._make_room(needed)
            found = self._decoder(number, header, payload)()
            self._literals[number] = found
        elif number in self._literals:
            self._literals.move_to_end(number)
        return found

    def _make_room(self, needed: int) -> None:
        """Forget blocks that were decoded longest ago, so that `needed` more bytes are within the memory."""
        most = min(self._max_memory // 8, self._max_memory - needed)
        for kept, others in ((self._kept, self._literals), (self._literals, self._kept)):
            beside = sum(map(len, others.values()))
            while kept and (len(kept) >= KEPT_BLOCKS or beside + sum(map(len, kept.values())) > most):
                kept.popitem(last=False)

    def _check_whole(self, number: int, raw: bytes) -> None:
        """Compare what was read of a member in order, from its first block to its last, with its check."""
        member = None if number == self._last else self._index().member_of(number)
        if member is None:
            return
        first, end, check = member
        begun, following, digest = self._whole
        if number == first:
            begun, digest = first, xxhash.xxh3_64()
        elif number != following or begun != first:
            return
        else:
            digest = digest.copy()
        digest.update(raw)
        self._whole = (first, number + 1, digest)
        if number + 1 == end and digest.intdigest() != check:
            self._wrong = CorruptError("the content is damaged (its blocks match, the check of the whole does not)")

    def _load(self, number: int) -> tuple[Any, bytes]:
        place = self._index()[number]
        self._file.seek(place.offset)
        # The block's own header says what it needs, so limits are checked as in a forward reading.
        parser = Parser(Limits(self._max_memory).admit, inside=True)
        left = place.size
        try:
            while True:
                event = parser.next()
                if isinstance(event, Block):
                    break
                data = self._file.read(min(READ_SIZE, left))
                if not data:
                    raise parser.truncated(place.offset)
                left -= len(data)
                parser.feed(data)
        except CorruptError as error:
            raise at_block(error, number, place.raw_offset, place.raw_size) from None
        if event.header.size != place.size or event.header.raw_size != place.raw_size:
            raise CorruptError("the end index does not describe the blocks before it")
        return event.header, event.payload


class _Ahead(NamedTuple):
    """A block that is being decoded: its number, header and payload."""

    number: int
    header: BlockHeader
    payload: bytes
    task: Task[bytes]


class _Rest:
    """The part of a file from `start` on, for content that does not begin at the file's first byte."""

    def __init__(self, file: BinaryIO, start: int):
        self._file = file
        self._start = start
        self.read = file.read

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_SET:
            offset += self._start
        return self._file.seek(offset, whence) - self._start

    def seekable(self) -> bool:
        return True


class SalvageReader(io.RawIOBase):
    """What can be saved of a file, as a raw stream."""

    def __init__(self, salvage: Salvage):
        self._pieces = iter(salvage)
        self._piece = memoryview(b"")
        self._pos = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._pos

    def readinto(self, buffer: Any) -> int:
        with memoryview(buffer).cast("B") as view:
            while not self._piece and view:
                piece = next(self._pieces, None)
                if piece is None:
                    return 0
                self._piece = memoryview(piece)
            count = min(len(view), len(self._piece))
            view[:count] = self._piece[:count]
            self._piece = self._piece[count:]
            self._pos += count
            return count
