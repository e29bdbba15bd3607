"""The copies of a block, as they stand at the start of its payload, and the block's content made of them.

A block's engine codes its *literals*. A copy says: before the literal of this number stand so many bytes that are among
the literals of this block, or of one before it. So a copy never leads to a copy, and nothing is followed twice.
docs/reference/FORMAT.md, section 2.6, defines the bytes.

Invariants: what is read is compared with the sizes in the block's header before it is used; a source lies within bytes
that are known at that place. What can be followed is bounded by the content's size, whatever the copies say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, check64, uleb

LEAST = 64  # bytes of content for each copy, at least
PLAIN, PACKED = 0, 1
LEVEL = 19
COLUMNS = 5
MOST_FIELD = 9  # bytes
STREAMS = 4  # sources of late that a copy may go on with
NEAR = 1 << 16  # bytes from where one ended, at most, to be its continuation; the writer's choice


class Copy(NamedTuple):
    """A stretch that stood before.

    Attributes:
        place: bytes of the block's literals before it.
        length: its bytes.
        back: how many blocks back its bytes begin; 0 for this one.
        offset: where among the literals of that block. They may go on in those of the blocks behind it.
    """

    place: int
    length: int
    back: int
    offset: int


class Literals(Protocol):
    """Gives stretches of what a copy may copy from."""

    def __call__(self, back: int, offset: int, length: int) -> bytes:
        """Return `length` bytes of the literals of earlier blocks, from `offset` of those of the block `back` (1 or
        more) blocks before on; fewer where these end with the block before this one.

        Raises:
            CorruptError: they do not begin there.
        """
        ...


def pack(copies: Sequence[Copy], content: bytes, literals: int) -> bytes:
    """Return the bytes that stand for `copies`, in order, of a block with this content and so many literals.

    Empty where there are none, or more than the format allows.
    """
    if not copies or len(copies) > max(1, len(content) // LEAST):
        return b""
    import zstandard

    columns = [bytearray() for _ in range(COLUMNS)]
    place = 0
    streams: list[tuple[int, int]] = []
    for copy in copies:
        columns[0] += uleb(copy.place - place)
        columns[1] += uleb(copy.length)
        near = [(abs(copy.offset - end), i) for i, (back, end) in enumerate(streams) if back == copy.back]
        distance, stream = min(near, default=(NEAR, 0))
        if distance < NEAR:
            columns[2] += uleb(stream)
            columns[3] += uleb(_folded(copy.offset - streams.pop(stream)[1]))
        else:
            columns[2] += uleb(STREAMS)
            columns[3] += uleb(copy.back)
            columns[4] += uleb(copy.offset)
            del streams[STREAMS - 1 :]
        streams.insert(0, (copy.back, copy.offset + copy.length))
        place = copy.place
    plain = b"".join(uleb(len(column)) for column in columns[:-1]) + b"".join(columns)
    compressor = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters.from_level(
            LEVEL,
            source_size=len(plain),
            format=zstandard.FORMAT_ZSTD1_MAGICLESS,
            write_content_size=False,
            write_checksum=False,
            write_dict_id=False,
        )
    )
    packed = compressor.compress(plain)
    form, body = (PACKED, packed) if len(packed) < len(plain) else (PLAIN, plain)
    return check64(content).to_bytes(8, "little") + uleb(len(copies)) + bytes((form,)) + body


class Copies:
    """The copies of a block, as they were read.

    Args:
        data: their bytes.
        content: bytes of the block's content, as its header says,
        literals: and of its literals.
        before: how many blocks of the member stand before it; more than that is damage.

    Raises:
        CorruptError: they are damaged.
    """

    def __init__(self, data: bytes, content: int, literals: int, before: int):
        reader = Reader(data)
        self._check = reader.u64()
        self._count = reader.uleb()
        self._content, self._literals, self._before = content, literals, before
        form = reader.u8()
        plain = reader.bytes(reader.left())
        if not 1 <= self._count <= max(1, content // LEAST):
            raise CorruptError("a block claims more copies than it has bytes for")
        most = MOST_FIELD * (COLUMNS * self._count + COLUMNS - 1)
        if form == PACKED:
            plain = _unpacked(plain, most)
        elif form != PLAIN:
            raise CorruptError("a block's copies are of an unknown form")
        reader = Reader(plain)
        sizes = [reader.uleb() for _ in range(COLUMNS - 1)]
        self._columns = [Reader(reader.bytes(size)) for size in sizes] + [Reader(reader.bytes(reader.left()))]

    def __iter__(self) -> Iterator[Copy]:
        """Give each copy, when it was compared with the sizes."""
        columns = [column.ulebs() for column in self._columns]
        gaps, lengths, kinds, sources, offsets = columns
        place = size = 0
        streams: list[tuple[int, int]] = []
        for _ in range(self._count):
            gap, length, kind, source = next(gaps, -1), next(lengths, 0), next(kinds, -1), next(sources, -1)
            offset = next(offsets, -1) if kind == STREAMS else 0
            if min(gap, length - 1, kind, source, offset) < 0:
                raise CorruptError("a block's copies end too early")
            if kind == STREAMS:
                back = source
                del streams[STREAMS - 1 :]
            elif kind < len(streams):
                back, offset = streams.pop(kind)
                offset += _unfolded(source)
            else:
                raise CorruptError("a block's copies go on with what is not there")
            place += gap
            size += length
            if place > self._literals or size > self._content - self._literals:
                raise CorruptError("a block's copies do not fit its sizes")
            if not 0 <= back <= self._before or offset < 0 or (back == 0 and offset + length > place):
                raise CorruptError("a block copies what does not stand before it")
            yield Copy(place, length, back, offset)
            streams.insert(0, (back, offset + length))
        if size != self._content - self._literals or any(next(column, None) is not None for column in columns):
            raise CorruptError("a block's copies do not fit its sizes")

    def content(self, literals: bytes, fetch: Literals) -> bytes:
        """Return the block's content.

        Raises:
            CorruptError: they are damaged, or what `fetch` gives is not what the block was made of.
        """
        content = bytearray()
        own = memoryview(literals)
        at = 0
        for copy in self:
            content += own[at : copy.place]
            at = copy.place
            if copy.back:
                part = fetch(copy.back, copy.offset, copy.length)
                content += part
                left = copy.length - len(part)
                if left > copy.place:
                    raise CorruptError("a block copies what does not stand before it")
                content += own[:left]
            else:
                content += own[copy.offset : copy.offset + copy.length]
        content += own[at:]
        if check64(content) != self._check:
            raise CorruptError("a block is damaged (its literals match, what it copies does not)")
        return bytes(content)


def _folded(value: int) -> int:
    return 2 * value if value >= 0 else -2 * value - 1


def _unfolded(value: int) -> int:
    return -(value + 1 >> 1) if value & 1 else value >> 1


def _unpacked(packed: bytes, most: int) -> bytes:
    import zstandard

    # As for the engine: a frame that announces its size would have so much allocated.
    if packed[:1] != b"\0":
        raise CorruptError("a block's copies are damaged (their frame header is not of the allowed form)")
    window = max(1 << 10, 1 << (most - 1).bit_length())
    reader = zstandard.ZstdDecompressor(max_window_size=window, format=zstandard.FORMAT_ZSTD1_MAGICLESS)
    try:
        return bytes(reader.decompress(packed, max_output_size=most, allow_extra_data=False))
    except zstandard.ZstdError as error:
        raise CorruptError(f"a block's copies are damaged ({error})") from None
