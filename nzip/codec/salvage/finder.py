"""From the bytes of a damaged file to its parts: blocks that may be sound, stretches that are lost, ends of members."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Generator, Iterator
from typing import BinaryIO

from nzip.codec.blocks import ENTRY_MEMORY, Limits, decode_block
from nzip.codec.index import MEMBER_MEMORY, last_member
from nzip.codec.like import UNKNOWN, Known
from nzip.codec.members import Window, parsed
from nzip.codec.salvage.evidence import (
    Begun,
    Ended,
    Ends,
    Found,
    Missing,
    Part,
    Walk,
    any_stands,
    block_in,
    block_of,
    damaged_end,
    end_size,
    first_block,
    header_at,
    header_in,
    is_among,
    leads_to,
)
from nzip.errors import CorruptError, NzipError, TruncatedError
from nzip.formats.container.entries import ENTRIES, TABLE_HEAD, chunk_size, decode_chunk
from nzip.formats.container.structures import (
    BLOCK,
    END,
    MAGIC,
    MAX_BLOCK_HEADER,
    MAX_HEADER,
    OPTIONAL,
    TRAILER_MAGIC,
    BlockHeader,
    End,
    Header,
)
from nzip.formats.container.wire import Reader

SEARCH = 1 << 16  # bytes of the file that are searched at a time
WORK_RATIO = 16  # bytes that are hashed or decoded in vain, for a byte of the file ...
WORK_FREE = 16 << 20  # ... beside these
MIN_BLOCK_HEAD = 15  # bytes before a payload, at least
TRIED_ENDS = 16  # end indexes behind a break that may be the member's with bytes gone or come
# A block's type, a body of at least 13 bytes, flags without reserved bits, an engine; an end; a header.
_CANDIDATE = re.compile(
    rb"(?=%b(?:[\x0d-\x7f]|[\x80-\xff]{1,4}[\x01-\x7f])[\x00\x01\x40\x41\x80\x81\xc0\xc1][\x00-\x7f])|%b|%b"
    % (bytes((BLOCK,)), bytes((END,)), re.escape(MAGIC)),
    re.DOTALL,
)
_UNPLACED = (
    "nothing behind this is given, as its place in the content is not proven (unplaced=True gives what is found there)"
)


class _GivenUpError(Exception):
    """The search takes too long."""


class Finder:
    """Finds what may be sound of a file.

    Args:
        file: a file that can seek.
        start: where its first member begins.
        limits: what a block may need; one that needs more is lost.
        unplaced: search on where the place of what is found is not known.
        known: what is known beside the file.

    Attributes:
        header: the first header of a member that could be read, once it was read.
    """

    def __init__(self, file: BinaryIO, start: int, limits: Limits, *, unplaced: bool, known: Known = UNKNOWN):
        self._given = known
        self._beside = UNKNOWN  # what of that is beside the member
        self._file, self._start, self._limits, self._unplaced = file, start, limits, unplaced
        self._window = Window(file)
        self._work = WORK_RATIO * self._window.size + WORK_FREE  # bytes that may still be hashed or decoded in vain
        self._ends: Ends | None = None  # behind the first break
        self._tiled: bool | None = None  # whether whole members are known to follow up to the file's end
        self.header: Header | None = None

    def _spend(self, count: int) -> None:
        self._work -= count
        if self._work < 0:
            raise _GivenUpError("the file is full of what looks like blocks and is none; nothing more is saved")

    def parts(self) -> Iterator[Part]:
        """Give what is found, from the first byte to the last."""
        known = self._known()
        places = sorted(known)
        position = self._start
        while True:
            end = known.get(position)
            header = header_at(self._window, position)
            yield Begun(position, header)
            self._beside = self._given.beside(header)
            try:
                if end is not None:
                    yield from self._by_index(position, end, position + end.member_size)
                    position += end.member_size
                else:
                    position = yield from self._forward(position, places)
            except _GivenUpError as error:
                yield Missing(position, str(error), None, True)
                return
            if position >= self._window.size:
                return

    def _known(self) -> dict[int, End]:
        """Return the end chunks of members by their starts, as far as they lead back from the file's end."""
        file, start, position = self._file, self._start, self._window.size
        found: dict[int, End] = {}
        blocks = 0
        while position > start:
            try:
                member = last_member(file, position)
            except NzipError:
                break
            if member is None or member[0] < start or member[0] >= position:
                break
            position, end = member
            if end.gap or end.index.has_gaps or not leads_to(file, position, end):
                break
            blocks += len(end.index) + MEMBER_MEMORY // ENTRY_MEMORY
            if ENTRY_MEMORY * blocks > self._limits.max_memory:
                break
            found[position] = end
        return found

    def _by_index(self, start: int, end: End, stop: int, first: int = 0, position: int = 0) -> Iterator[Part]:
        """Give the blocks from number `first` on of a member from `start` to `stop`, by its end index.

        Where bytes went or came, only those that form an unbroken chain to the end, none of it up to `position`.
        """
        header = header_in(self._window.at(start, end.header_size))
        if header is None and not first:
            yield Missing(start, "the header is damaged; the member's blocks were found by its end index", 0)
        self.header = self.header or header
        shift = stop - end.member_size - start
        place = stop - end.size
        placed = len(end.index) if shift else first  # number of the first block whose place is known
        while placed > first:
            entry = end.index[placed - 1]
            if place - entry.chunk_size <= position or not block_of(self._window, place - entry.chunk_size, entry):
                break
            place -= entry.chunk_size
            placed -= 1
        offset = start + end.header_size
        for number, entry in enumerate(end.index):
            if number >= first:
                at = offset + shift if number >= placed else offset
                if number < placed:
                    yield Missing(position, "the block is damaged, or its place is not known", entry.raw_size)
                elif (block := block_of(self._window, at, entry)) is not None:
                    yield self._found(at, block)
                else:
                    yield Missing(at, "the block's header is damaged", entry.raw_size)
            offset += entry.chunk_size
        yield Ended(stop - end.size, end, None if header is None else header.content_size)

    def _forward(self, start: int, known: list[int]) -> Generator[Part, None, int]:
        """Walk a member, or what is left of one, and return where the next begins."""
        walk = Walk(start)
        position = start
        trouble: NzipError | None = None
        try:
            walk.header = parsed(self._window, start, Header.parse, MAX_HEADER)
            self.header = self.header or walk.header
            position += walk.header.size
        except NzipError as error:
            position = first_block(self._window, start)
            if position > start:
                yield Missing(start, f"{error}; what follows it is sound", 0)
            else:
                trouble = error
        # Where bytes went, what seems to follow a damaged block can be a block inside of another's payload.
        careful = not self._unplaced and trouble is None and not self._holds(walk, position, known)
        while True:
            part: Part | None = None
            if trouble is None and position >= self._window.size:
                trouble = TruncatedError("the file is cut: the end of its last member is missing")
            if trouble is None:
                try:
                    part, after, ended = self._next(position, walk)
                except NzipError as error:
                    trouble = error
            if trouble is None and part is None and careful:
                trouble = CorruptError("what stands here is no block that is known")
            if (
                trouble is None
                and isinstance(part, Found)
                and (not ended or careful)
                and ((careful and walk.placed) or not self._begins(after))
            ):
                # Its end may not be where its header says: bytes may have gone, or come.
                part = self._proof(part, len(walk.index))
                if part is None:
                    trouble = CorruptError("the block is damaged, and so is what follows it")
            if trouble is None:
                if isinstance(part, Ended) and walk.placed:
                    end = part.end
                    size = walk.header.size if walk.header is not None else end.header_size
                    if (end.header_size, end.index, end.gap) != (size, walk.index, walk.gap):
                        # Whole blocks may have gone, and where is not known.
                        reason = "the end index does not describe the blocks before it"
                        if end.index.raw_size == walk.index.raw_size:
                            yield Missing(position, reason, 0)
                        elif self._unplaced:
                            yield Missing(position, reason, None)
                        else:
                            yield Missing(position, f"{reason}; {_UNPLACED}", None, True)
                            return self._window.size
                walk.pass_by(part, after - position)
                if part is None:
                    part = self._damaged_table(position, after)
                if part is not None:
                    yield part
                position = after
                if ended:
                    return position
                continue
            after = yield from self._broken(walk, position, trouble, known)
            trouble = None
            if after < 0:  # found by search, within the member
                position = -after
            else:
                return after

    def _holds(self, walk: Walk, position: int, known: list[int]) -> bool:
        """Whether chunks follow each other up to the member's end, or to that of a file that is cut.

        A solo member has no end chunk: what follows it must be members up to the file's end.
        """
        ahead = Walk(walk.start)
        ahead.header = walk.header
        head = position - walk.start
        while position < self._window.size:
            try:
                part, after, ended = self._next(position, ahead, read=False)
            except TruncatedError:
                return not ahead.skipped
            except NzipError:
                return not ahead.skipped and damaged_end(self._window, ahead, position) >= 0
            if isinstance(part, Ended):
                return (part.end.header_size, part.end.index, part.end.gap) == (head, ahead.index, ahead.gap)
            if ended:
                if self._tiled is None:  # asked once: what follows later members is part of it
                    self._tiled = self._tile(after, known)
                return self._tiled
            ahead.pass_by(part, after - position)
            position = after
        return not ahead.skipped

    def _tile(self, position: int, known: list[int]) -> bool:
        """Whether whole members, the last of which may be cut, follow each other from `position` to the file's end."""
        while position < self._window.size and not is_among(known, position):
            header = header_at(self._window, position)
            if header is None:
                return False
            walk = Walk(position)
            walk.header = header
            position += header.size
            ended = False
            while position < self._window.size and not ended:
                try:
                    part, after, ended = self._next(position, walk, read=False)
                except TruncatedError:
                    return True
                except NzipError:
                    after = damaged_end(self._window, walk, position)
                    if after < 0:
                        return False
                    ended = True
                else:
                    walk.pass_by(part, after - position)
                position = after
        return True

    def _broken(self, walk: Walk, position: int, trouble: NzipError, known: list[int]) -> Generator[Part, None, int]:
        """Go on where the chain of a member's chunks breaks.

        Returns:
            Where the next member begins; or, negated, where this one goes on.
        """
        solo = walk.header is not None and walk.header.solo
        block = block_in(self._window.at(position, MAX_BLOCK_HEADER))
        if block is not None and not block.raw_size:
            block = None
        if walk.placed and not solo:
            after = damaged_end(self._window, walk, position)
            if after >= 0:
                reason = "the member's end is damaged; nothing of its content is lost"
                if after >= self._window.size and self._window.read(self._window.size - 4, 4) != TRAILER_MAGIC:
                    reason = "the file is cut in a member's end: nothing of it is lost, and members behind it may be"
                yield Missing(position, reason, 0)
                return after
            own = self._own_end(walk, position, known)
            if own is not None:
                end, stop = own
                lost = block is not None
                for part in self._by_index(walk.start, end, stop, len(walk.index), position):
                    lost = lost or isinstance(part, Missing)
                    yield part
                if not lost:
                    yield Missing(position, f"{trouble}; the blocks behind it were found by the end index", 0)
                return stop
        if block is not None:
            yield Missing(position, str(trouble), block.raw_size)
        if not self._unplaced:
            if block is not None:
                position = min(position + block.size, self._window.size)
                trouble = CorruptError("what should follow the block is not there")
            reason = f"{trouble}; {_UNPLACED}" if position < self._window.size else str(trouble)
            yield Missing(position, reason, None, True)
            return self._window.size
        walk.placed = False
        if position >= self._window.size:
            yield Missing(position, str(trouble), None, True)
            return self._window.size
        if position > walk.start and header_at(self._window, position) is not None:
            yield Missing(position, "the end of the member before is missing", None)
            return position
        search = position + 1 if block is None else position + block.size - block.payload_size
        at, found = self._search(search, known)
        if block is None or at != position + block.size:
            reason = str(trouble) if block is None else "what follows the block was found by a search"
            yield Missing(position, reason, None, at >= self._window.size)
        if found is not None:
            yield found
            return -at - found.header.size
        of_member = is_among(known, at) or header_at(self._window, at) is not None
        return at if at >= self._window.size or of_member else -at

    def _next(self, position: int, walk: Walk, *, read: bool = True) -> tuple[Part | None, int, bool]:
        """Return what stands at `position`, what follows it, and whether the member ends there.

        A block's payload is empty where it is not to be read.

        Raises:
            CorruptError, UnsupportedError: nothing that can be read, or not all of it.
        """
        solo = walk.header is not None and walk.header.solo
        kind = self._window.at(position, 1)[0]
        if kind == BLOCK or (walk.header is not None and walk.header.brief):
            block = parsed(self._window, position, BlockHeader.parse, MAX_BLOCK_HEADER)
            after = position + block.size
            if after > self._window.size:
                raise TruncatedError("the file ends within the block")
            if not block.raw_size and not solo:
                raise CorruptError("an empty block is only allowed alone")
            # Where the header is lost, a first block that another member, or nothing, follows was alone.
            alone = walk.header is None and walk.placed and not len(walk.index)
            ended = solo or (alone and (after == self._window.size or header_at(self._window, after) is not None))
            return self._found(position, block) if read else Found(position, block, b""), after, ended
        if solo:
            raise CorruptError("a solo member holds something other than one block")
        end = self._end(position) if kind == END else None
        if end is not None:
            content_size = None if walk.header is None else walk.header.content_size
            return Ended(position, end, content_size), position + end.size, True
        reader = Reader(self._window.at(position, 10))
        reader.u8()
        after = position + reader.uleb() + reader.pos
        # The first byte of a member could also begin an optional chunk.
        if not kind & OPTIONAL or after > self._window.size or header_at(self._window, position) is not None:
            raise CorruptError("what stands here is no block")
        return None, after, False

    def _damaged_table(self, position: int, after: int) -> Missing | None:
        """Return the fault of the chunk between the two places where it is a table of entries; no content is lost."""
        begin = self._window.at(position, TABLE_HEAD)
        if begin[0] != ENTRIES:
            return None
        if chunk_size(begin) is None:
            return Missing(position, "a table of entries is larger than the format allows", 0)
        try:
            decode_chunk(self._window.read(position, after - position))
        except NzipError as error:
            return Missing(position, str(error), 0)
        return None

    def _begins(self, offset: int) -> bool:
        """Whether something that can follow a block begins at `offset`, or the file ends there."""
        if offset >= self._window.size:
            return True
        kind = self._window.at(offset, 1)[0]
        if kind == BLOCK:
            return block_in(self._window.at(offset, MAX_BLOCK_HEADER)) is not None
        return kind == END and self._end(offset) is not None

    def _end(self, offset: int) -> End | None:
        """Return the end chunk at `offset`, if one is there and sound."""
        size = end_size(self._window.at(offset, 10))
        if size < 14 or offset + size > self._window.size:
            return None
        # One start only fits a trailer, so that not every byte can be taken for the start of the same long chunk.
        if self._window.read(offset + size - 8, 8) != size.to_bytes(4, "little") + TRAILER_MAGIC:
            return None
        self._spend(size)
        try:
            return End.parse(self._window.read(offset, size))
        except NzipError:
            return None

    def _own_end(self, walk: Walk, position: int, known: list[int]) -> tuple[End, int] | None:
        """Return the end chunk, at `position` or behind it, of the member that is walked, and where it ends."""
        if self._ends is None:
            self._ends = self._find_ends(position)
        ends = self._ends
        block = block_in(self._window.at(position, MAX_BLOCK_HEADER))
        exact = ends.exact.get(walk.start)
        if exact is not None and exact >= position:
            end = self._end(exact)
            # With no block before the break, one behind it must show that the index is this member's; without a header
            # the very first: an engine that shrinks a file within a little moves what its index leads to.
            if (
                end is not None
                and walk.agrees(end, block)
                and (len(walk.index) or any_stands(self._window, walk.start, end, 1 if walk.header is None else 16))
            ):
                return end, exact + end.size
        # Bytes may have gone or come: then the index leads to no member, and says of all blocks so far what they are.
        if walk.header is None or not len(walk.index):
            return None
        inside = position if block is None else position + block.size
        first = bisect_left(ends.loose, position)
        for at in ends.loose[first : first + TRIED_ENDS]:
            end = self._end(at)
            if end is not None and walk.agrees(end, block):
                stop = at + end.size
                # A file within the file begins behind the header of a first block. It may be followed by another one,
                # but hardly by the end of the file.
                ours = stop - end.member_size < walk.start + walk.header.size + MIN_BLOCK_HEAD
                if ours and stop > inside and (stop == self._window.size or is_among(known, stop)):
                    return end, stop
        return None

    def _find_ends(self, position: int) -> Ends:
        """Return the sound end chunks from `position` on."""
        ends = Ends({}, array("Q"))
        begin = position
        while position < self._window.size:
            data = self._window.read(position, SEARCH + 8)
            at = data.find(TRAILER_MAGIC, 4)
            while 0 <= at < SEARCH + 4:
                size = int.from_bytes(data[at - 4 : at], "little")
                start = position + at + 4 - size
                if size >= 14 and begin <= start and end_size(self._window.read(start, 10)) == size:
                    end = self._end(start)
                    if end is not None and not end.gap and not end.index.has_gaps:
                        member = start + end.size - end.member_size
                        ends.exact.setdefault(member, start)
                        # One of a member that lies whole in a payload leads to a place behind.
                        if member < begin and (
                            member < 0 or header_in(self._window.at(member, end.header_size)) is None
                        ):
                            ends.loose.append(start)
                at = data.find(TRAILER_MAGIC, at + 1)
            position += SEARCH
        return ends

    def _search(self, position: int, known: list[int]) -> tuple[int, Found | None]:
        """Return where the next block, end or member begins, from `position` on, and the block where it is one."""
        next_known = bisect_left(known, position)
        stop = known[next_known] if next_known < len(known) else self._window.size
        while position < stop:
            data = self._window.read(position, min(SEARCH + MAX_BLOCK_HEADER, stop - position))
            for match in _CANDIDATE.finditer(data):
                at = match.start()
                if at >= SEARCH:
                    break
                if data[at] == END:
                    if self._end(position + at) is not None:
                        return position + at, None
                elif data[at] == BLOCK:
                    block = block_in(data, at)
                    if block is not None and block.raw_size and position + at + block.size <= stop:
                        part = self._found(position + at, block)
                        found = self._proof(part) if isinstance(part, Found) else None
                        if found is not None:
                            return position + at, found
                elif header_at(self._window, position + at) is not None:
                    return position + at, None
            position += SEARCH
        return stop, None

    def _proof(self, part: Found, before: int = 0) -> Found | None:
        """Return a block with its bytes, if they match its check, when so many stand before it."""
        try:
            return part._replace(raw=decode_block(part.header, part.payload, self._beside, before))
        except NzipError:
            self._spend(part.header.size + part.header.raw_size)
            return None

    def _found(self, offset: int, block: BlockHeader) -> Part:
        try:
            self._limits.admit(block)
        except NzipError as error:
            return Missing(offset, str(error), block.raw_size)
        head = block.size - block.payload_size
        return Found(offset, block, self._window.read(offset + head, block.payload_size))
