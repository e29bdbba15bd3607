"""Transform `lines`: the lines of a log as templates and columns of fields.

The lines of a log are made by few statements of a program, which put numbers and names into texts that stay. Each line
becomes the number of its template, and its fields go to columns of what stands in the same place: numbers as
differences from the one before, times of day as one number, texts by where they stood first. An engine that finds
repeats then sees like beside like. The method is that of Logzip (Liu et al., "Logzip: Extracting Hidden Structures via
Iterative Clustering for Log Compression", ASE 2019), with templates from the shapes of words alone, so that one pass
finds them, and columns that lines of several templates share.

docs/reference/TRANSFORMS.md defines the bytes. What is a field is the encoder's choice.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any

from nzip.entropy.jit import Native
from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.content.kinds import BINARY, TEXT, TEXT_KINDS, Content, Segment
from nzip.formats.transforms.base import Chain, Transform
from nzip.formats.transforms.lines_layout import COUNTED, KNOWN, ROWS, SPARSE, TEMPLATES, kinds
from nzip.params import Number, Parameters, Params

PLAIN, ENDED, TORN = range(3)  # the first byte: the block as it is; lines, the last of which has an end, or has none
STREAMS = 7  # templates, which of them each line has, modes, near and far numbers, texts again, and texts
TEXTS = (1, STREAMS)  # places of streams that are texts, the head being 0
LEAST_STREAM = 64  # bytes that an engine's tables may be of their own for
DIGITS = 24  # one byte in so many is a digit, where lines are looked at
LOOKED = 1 << 14
CONTROLS = bytes({*range(32)} - {*b"\t\n\r"})
MOST_CONTROLS = 16  # one in so many may be of them, as between the files of an archive

_APART, _COLUMNS = (f"nzip.formats.transforms.{name}" for name in ("lines_apart", "lines_columns"))
_count, _shapes = (Native(_APART, name) for name in ("count", "shapes"))
_columns, _numbered, _put, _values, _join = (
    Native(_COLUMNS, name) for name in ("columns", "numbered", "put", "values", "join")
)


@lru_cache(1)
def _kinds() -> Any:
    import numpy as np

    return np.frombuffer(kinds(), np.uint8)


class LinesTransform(Transform):
    """Sorts what lines are made of."""

    name = "lines"
    id = 6
    version = 1
    resizes = True
    parameters = Parameters(
        "transform lines",
        Number(
            name="whole", low=0, high=1, default=0, bits=8,
            help="1 to take words with letters and digits whole, and rare words as fields; decoding ignores it.",
        ),
        Number(
            name="plain", low=0, high=1, default=0, bits=8,
            help="1 to let numbers stand as they are, for engines that see what stood before; decoding ignores it.",
        ),
    )  # fmt: skip

    def forward(self, block: bytes, params: Params) -> bytes:
        params = self.parameters.check(params)
        if not block:
            return b""
        streams = _streams(block, params["whole"], params["plain"]) if len(block) >= 2 * SPARSE else None
        if streams is None:
            return bytes((PLAIN,)) + block
        coded = b"".join(streams)
        return coded if len(coded) <= len(block) else bytes((PLAIN,)) + block

    def inverse(self, coded: bytes, size: int, params: Params) -> bytes:
        self.parameters.check(params)
        if not coded and not size:
            return b""
        if coded[:1] == bytes((PLAIN,)):
            if len(coded) - 1 != size:
                raise CorruptError(f"a lines transform has {len(coded) - 1:,} bytes where {size:,} belong")
            return coded[1:]
        return _joined(coded, size)

    def stretches(self, coded: bytes) -> list[int]:
        """Return the lengths of the streams of what `forward` returned, of short ones together."""
        if not coded or coded[0] == PLAIN:
            return [len(coded)]
        reader, _, sizes = _head(coded)
        found = [reader.pos]
        for size in (*sizes, reader.left() - sum(sizes)):
            if found[-1] < LEAST_STREAM:
                found[-1] += size
            else:
                found.append(size)
        if len(found) > 1 and found[-1] < LEAST_STREAM:
            found[-2:] = [found[-2] + found[-1]]
        return found

    def content(self, coded: bytes, content: Content, params: Params) -> Content:
        """Return the streams as segments: templates and strings are text, all others are not."""
        if not coded or coded[0] == PLAIN:
            return super().content(coded, content, params)
        reader, _, sizes = _head(coded)
        lengths = (reader.pos, *sizes, reader.left() - sum(sizes))
        return Content(tuple(
            Segment("text", length, TEXT) if place in TEXTS else Segment("binary", length, BINARY)
            for place, length in enumerate(lengths) if length
        ))  # fmt: skip

    def proposals(self, content: Content, before: Chain, sees_records: bool, sees_lines: bool) -> list[dict[str, Any]]:
        """Propose both ways for texts and archives of them; an engine that sees lines and their fields is better
        without."""
        if before or sees_lines or not (content.kind in TEXT_KINDS or content.kind == "binary"):
            return []
        return [{"whole": whole, "plain": int(sees_records)} for whole in (0, 1)]

    def repays(self, block: bytes, params: Params) -> bool | None:
        """Say that samples must be measured where there are lines with numbers."""
        middle = block[len(block) // 2 :][:LOOKED]
        lines = middle.count(b"\n") + 1
        digits = len(middle) - len(middle.translate(None, b"0123456789"))
        controls = len(middle) - len(middle.translate(None, CONTROLS))
        if controls * MOST_CONTROLS > len(middle):
            return False
        return None if digits * DIGITS >= len(middle) and lines * 16 <= len(middle) <= lines * 2048 else False

    def prepare(self) -> None:
        for whole in (0, 1):
            block = b"2015-07-29 17:41:44,747 INFO a line of a log, number 1 of 2\n" * 9
            self.inverse(self.forward(block, {"whole": whole}), len(block), {})


def _power(least: int) -> int:
    return 1 << max(4, (least - 1).bit_length())


def _columns_of(text: Any, templates: int, fields: int) -> tuple[Any, ...] | None:
    """Return begins, firsts, column and kept of templates; None where they are none, or not so many."""
    import numpy as np

    begins, firsts = np.zeros(templates + 1, np.int32), np.zeros(templates + 1, np.int32)
    column, kept, hashes = np.empty(fields, np.int32), np.empty(fields, np.int64), np.empty(fields, np.int64)
    slots = np.zeros(_power(2 * fields), np.int32)
    count = int(_columns(text, _kinds(), slots, begins, firsts, column, kept, hashes))
    return None if count < 0 else (begins, firsts, column, kept[:count].copy())


def _marks(text: bytes) -> int:
    """Return how many fields templates have, or more."""
    return len(text) - len(text.translate(None, b"\1\2\3"))


def _streams(block: bytes, whole: int, plain: int) -> list[bytes] | None:
    """Return what a block becomes, in pieces; None where it is not worth it."""
    import numpy as np

    data = np.frombuffer(block, np.uint8)
    size = len(block)
    counts = np.zeros(1 << COUNTED, np.uint8)
    if whole:
        _count(data, _kinds(), counts)
    store = np.empty(size // 2 + 64, np.uint8)
    most = min(TEMPLATES, size // 16 + 1)
    begins, hashes = np.zeros(most + 1, np.int32), np.empty(most + 1, np.int64)
    ids = np.empty(size // SPARSE, np.int32)
    starts, sizes = np.empty(size // SPARSE, np.int32), np.empty(size // SPARSE, np.int32)
    said = np.zeros(STREAMS - 1, np.int64)
    slots = np.zeros(_power(2 * most), np.int32)
    fields = int(_shapes(data, _kinds(), whole, counts, store, slots, begins, hashes, ids, starts, sizes, said))
    if fields < 0:
        return None
    lines, templates, length = said[:3].tolist()
    places = begins[: templates + 1].tolist()
    stored = store[:length].tobytes()
    shapes = [stored[a:b] for a, b in pairwise(places)]
    ranked = sorted(range(templates), key=shapes.__getitem__)
    ranks = np.empty(templates, np.int32)
    ranks[ranked] = np.arange(templates, dtype=np.int32)
    ids = ranks[ids[:lines]]
    text = b"".join(shapes[k] for k in ranked)
    del store, slots, begins, hashes, shapes, stored
    made = _columns_of(np.frombuffer(text, np.uint8), templates, _marks(text))
    assert made is not None
    _, firsts, column, kept = made
    starts, sizes = starts[:fields], sizes[:fields]
    uses, ends = np.zeros(templates, np.int64), np.zeros(len(kept) + 1, np.int64)
    slots = np.zeros(_power(2 * min(fields, KNOWN)), np.int32)
    order, listed = np.empty(fields, np.int32), np.empty(len(slots), np.int32)
    room = (4 * lines, len(kept), fields, min(8 * fields, size // 2), min(4 * fields, size // 2), size // 2)
    out = [np.empty(n, np.uint8) for n in room]
    rows = (data, ids, firsts, column, kept, starts, sizes, uses, ends, order, slots, listed)
    if _put(*rows, plain, np.empty(257 * ROWS, np.int32), *out, said) < 0:
        return None
    parts = [text, *(each[:n].tobytes() for each, n in zip(out, said.tolist(), strict=True))]
    numbers = (lines, templates, *(len(part) for part in parts[:-1]))
    head = bytes((ENDED if block.endswith(b"\n") else TORN,)) + b"".join(map(uleb, numbers))
    return [head, *parts]


def _head(coded: bytes) -> tuple[Reader, tuple[int, int, int], list[int]]:
    """Return a reader behind the head, its first byte and numbers, and the sizes of all streams but the last."""
    reader = Reader(coded)
    first = reader.u8()
    lines, templates = reader.uleb(), reader.uleb()
    return reader, (first, lines, templates), [reader.uleb() for _ in range(STREAMS - 1)]


def _wrong(what: str) -> CorruptError:
    return CorruptError(f"a lines transform is damaged ({what})")


def _joined(coded: bytes, size: int) -> bytes:
    """Return the block."""
    import numpy as np

    reader, (first, lines, templates), sizes = _head(coded)
    if first > TORN or sum(sizes) > reader.left() or not 0 < lines <= size // SPARSE or not 0 < templates <= lines:
        raise _wrong("its sizes")
    text, indexes = reader.bytes(sizes[0]), reader.bytes(sizes[1])
    made = _columns_of(np.frombuffer(text, np.uint8), templates, _marks(text)) if text else None
    if made is None:
        raise _wrong("its templates")
    begins, firsts, column, kept = made
    if sizes[2] != len(kept):
        raise _wrong("its columns")
    ids = np.empty(lines, np.int32)
    uses, ends = np.zeros(templates, np.int64), np.zeros(len(kept) + 1, np.int64)
    fields = int(_numbered(np.frombuffer(indexes, np.uint8), ids, firsts, column, uses, ends))
    if not 0 <= fields <= size // SPARSE:
        raise _wrong("its lines")
    streams = [reader.bytes(n) for n in sizes[2:]]
    streams.append(reader.bytes(reader.left()))
    modes, near, far, again, texts = (np.frombuffer(stream, np.uint8) for stream in streams)
    listed, found = np.empty(min(KNOWN, len(again)), np.int32), np.empty(fields, np.int64)
    if _values(kept, ends, modes, near, far, again, texts, listed, found) < 0:
        raise _wrong("its columns")
    out = np.empty(size + 1, np.uint8)
    written = int(_join(ids, np.frombuffer(text, np.uint8), begins, firsts, column, ends, modes, texts, found, out))
    if written != size + (first == TORN):
        raise _wrong("its size")
    return out[:size].tobytes()
