"""Circuits as files and in memory.

docs/reference/CIRCUIT.md defines the file: a few numbers, and arrays of codes in one zstd frame. A model's id is the
start of a hash of all that, and files that were made with the model carry the id.

Invariants: sizes are checked before anything is allocated for them; a file that does not match its hash is not taken;
and what was taken codes any record in bounded time, whoever made it.
"""

from __future__ import annotations

import hashlib
import math
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from nzip.errors import CorruptError
from nzip.formats.container.wire import opened, uleb
from nzip.models.circuit.layout import (
    BYTE_ROWS,
    CONTEXTS,
    COUNTS,
    FAITH,
    FEWEST_BITS,
    FINAL_ROWS,
    LANES,
    LEVELS,
    LONGEST,
    MOST_BITS,
    MOST_HEAD,
    MOST_STATES,
    MOST_TABLES,
    MOST_WALK,
    NODES,
    OTHER,
    OWN,
    PLACE_ROWS,
    ROWS,
    STEP,
    TRUST_ROWS,
    WEIGHT_SHIFT,
    WHOLE,
)

MAGIC = b"\xf5nr"
VERSION = 1
DIGEST = 16
ID_BYTES = 8
LEVEL = 19  # of zstd
WORDS = 128  # codes of probabilities of cells
FINAL = 16 * FINAL_ROWS + 1  # cells of the last stage

Array = Any

assert BYTE_ROWS + TRUST_ROWS + PLACE_ROWS == ROWS


class Lessons(NamedTuple):
    """What a kernel has learned of contexts, as it changes it.

    Attributes:
        cells: uint32, CONTEXTS tables of adaptive probabilities.
        bits: log2 of the size of each.
        mixer: int32 (ROWS * LANES,), weights.
        uses: int64 (ROWS,), how often each row of weights was used.
        final: uint32 (FINAL,), the last stage.
    """

    cells: Array
    bits: int
    mixer: Array
    uses: Array
    final: Array

    @classmethod
    def none(cls, bits: int) -> Lessons:
        """Return what is known before the first record."""
        import numpy as np

        mixer = np.zeros((ROWS, LANES), np.int32)
        mixer[:, 0] = OWN
        mixer[:, 2 : 2 + CONTEXTS] = OTHER
        cells, final = np.zeros(CONTEXTS << bits, np.uint32), np.zeros(FINAL, np.uint32)
        return cls(cells, bits, mixer.reshape(-1), np.zeros(ROWS, np.int64), final)

    def copied(self) -> Lessons:
        """Return the same in arrays of its own."""
        return Lessons(self.cells.copy(), self.bits, self.mixer.copy(), self.uses.copy(), self.final.copy())


class Circuit:
    """A model of records of one shape.

    Args:
        size: bytes of a record.
        line: bytes of a line of a record, in the order of coding; divides the size.
        states: of each hidden variable.
        head: what stood before the records of each file that was learned from; may be empty.
        places: uint16 (size,), where the bytes stand in a record, in the order of coding.
        parents: uint16 (size,), which variable each one's hangs on, by this order; the root's is itself.
        start: uint8 (states,), codes of the root's states.
        tables: uint8 (size, states, states), codes of each one's states by its parent's; zeros for the root.
        leaves: uint8 (size, states, 256), codes of each byte's values by its state.
        lessons: what was learned of contexts; None for nothing.

    Raises:
        CorruptError: these make no circuit, or one that takes too much memory or time.
    """

    def __init__(
        self, size: int, line: int, states: int, head: bytes, places: Array, parents: Array, start: Array,
        tables: Array, leaves: Array, lessons: Lessons | None,
    ):  # fmt: skip
        import numpy as np

        check_numbers(size, line, states, lessons.bits if lessons else 0, len(head))
        self.size, self.line, self.states, self.head = size, line, states, head
        self.places, self.parents = places.astype(np.int64), parents.astype(np.int64)
        self.codes = (start, tables, leaves)
        self.lessons = lessons
        if not np.array_equal(np.sort(self.places), np.arange(size)):
            raise _damaged("its places are not those of a record")
        self._tree()
        if max(int(codes.max()) for codes in self.codes) >= LEVELS:
            raise _damaged("it has codes that stand for nothing")
        rows = tables.any(axis=2).all(axis=1)
        if not start.any() or not leaves.any(axis=2).all() or not rows[np.arange(size) != self.root].all():
            raise _damaged("a table of it is empty")

    def _tree(self) -> None:
        """Find the root, the branches, and the walk along the tree from byte to byte."""
        import numpy as np

        size, parents = self.size, self.parents
        if int(parents.max()) >= size:
            raise _damaged("its tree hangs on nothing")
        roots = np.flatnonzero(parents == np.arange(size))
        if len(roots) != 1:
            raise _damaged("its tree has not one root")
        self.root = int(roots[0])
        order = np.argsort(np.where(np.arange(size) == self.root, -1, parents), kind="stable")[1:]
        self.kids = order.astype(np.int64)  # by parent, then by their own numbers
        counts = np.bincount(parents[order], minlength=size)
        self.first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        depth = np.full(size, -1, np.int64)
        level, reached = np.array([self.root]), 0
        while len(level):
            depth[level] = reached
            reached += 1
            level = order[np.isin(parents[order], level)]
            if reached > size:
                break
        if (depth < 0).any():
            raise _damaged("its tree has a circle")
        self.walk, self.stops = walk_of(parents.tolist(), depth.tolist(), self.root)
        if len(self.walk) > MOST_WALK * size:
            raise _damaged("its tree is too far from the order of its bytes")

    @cached_property
    def packed(self) -> bytes:
        """The file."""
        import numpy as np
        import zstandard

        body = [self.places.astype("<u2").tobytes(), self.parents.astype("<u2").tobytes()]
        body += [codes.tobytes() for codes in self.codes]
        if self.lessons is not None:
            body += _lessons_packed(self.lessons)
        numbers = (self.size, self.line, self.states, self.lessons.bits if self.lessons else 0, len(self.head))
        head = b"".join(map(uleb, numbers)) + self.head
        plain = b"".join(body)
        frame = zstandard.ZstdCompressor(level=LEVEL, write_content_size=False).compress(plain)
        assert np.uint16(self.size) == self.size
        return MAGIC + bytes((VERSION,)) + _digest(head, plain) + head + frame

    @cached_property
    def id(self) -> str:
        """What files say of it, in hexadecimal digits."""
        return id_of(self.packed)

    @cached_property
    def tables(self) -> dict[str, Array]:
        """The tables of the circuit, under the names of the kernel's arguments."""
        import numpy as np

        start, tables, leaves = self.codes
        size, states = self.size, self.states
        level = np.array(levels(), np.int64)
        counts = np.zeros((size, states, states), np.uint16)
        ones = np.zeros((size, NODES, states), np.uint16)
        means = np.zeros((size, states), np.uint8)
        for k in range(size):
            if k != self.root:
                counts[k] = _counts(level[tables[k]])
            values = _counts(level[leaves[k]])
            means[k] = values @ np.arange(256) // WHOLE
            wide = 256
            while wide > 1:
                pairs = values.reshape(states, wide // 2, 2)
                ones[k, wide // 2 : wide] = pairs[:, :, 1].T
                values, wide = pairs.sum(axis=2), wide // 2
        return {
            "start": _counts(level[start][None])[0].astype(np.uint16),
            "tables": counts.reshape(-1),
            "turned": np.ascontiguousarray(counts.transpose(0, 2, 1)).reshape(-1),
            "leaves": ones.reshape(-1),
            "means": means.reshape(-1),
        }

    @cached_property
    def marginal(self) -> Array:
        """How likely each byte has each value: codes of counts, averaged over states, int64 (size, 256)."""
        import numpy as np

        found: Array = self.codes[2].astype(np.int64).sum(axis=1)
        return found

    @property
    def memory(self) -> int:
        """Bytes that coding takes beside records: tables, messages, lessons twice, and what makes the tables."""
        bits = self.lessons.bits if self.lessons else bits_for(1 << 30)
        return tables_memory(self.size, self.states) + 12 * self.size * self.states + (10 * CONTEXTS << bits)


def bits_for(contexts: int) -> int:
    """Return log2 of the size of tables that serve so many bytes."""
    return max(FEWEST_BITS, min(18, contexts.bit_length() - 2))


def tables_memory(size: int, states: int) -> int:
    """Return the bytes that the tables and messages of a circuit take."""
    # Tables twice, leaves, means, three messages; and the codes.
    return size * states * (4 * states + 2 * NODES + 1 + 12 + states + 256)


def check_numbers(size: int, line: int, states: int, bits: int, head: int) -> None:
    """Raise CorruptError unless the numbers of a model are within their bounds."""
    if not (0 < size <= LONGEST and 0 < line <= size and size % line == 0):
        raise _damaged(f"its records have {size:,} bytes in lines of {line:,}")
    if not 0 < states <= MOST_STATES or tables_memory(size, states) > MOST_TABLES:
        raise _damaged(f"{size:,} variables of {states} states are too many")
    if bits and not FEWEST_BITS <= bits <= MOST_BITS:
        raise _damaged(f"it claims tables of 2^{bits} cells")
    if head > MOST_HEAD:
        raise _damaged(f"it claims {head:,} bytes before records")


def parse(data: bytes) -> Circuit:
    """Return the circuit of a file.

    Raises:
        CorruptError: it is none, or a damaged one.
        UnsupportedError: a later nzip made it.
    """
    import numpy as np

    what = "is no model of records; nzip train records makes one"
    reader = opened(data, MAGIC, VERSION, what="models of records", other=what)
    digest, begin = reader.bytes(DIGEST), reader.pos
    size, line, states, bits, length = (reader.uleb() for _ in range(5))
    check_numbers(size, line, states, bits, length)
    head = reader.bytes(length)
    numbers = bytes(data[begin : reader.pos])
    parts = [2 * size, 2 * size, states, size * states * states, size * states * 256]
    if bits:
        parts += [CONTEXTS << bits, CONTEXTS << bits, 2 * ROWS * LANES, 2 * ROWS, 4 * FINAL]
    plain = _unpacked(reader.bytes(reader.left()), sum(parts))
    if len(plain) != sum(parts) or _digest(numbers, plain) != digest:
        raise _damaged("its contents do not match its hash")
    arrays = []
    at = 0
    for part in parts:
        arrays.append(np.frombuffer(plain, np.uint8, part, at))
        at += part
    lessons = _lessons_of(arrays[5:], bits) if bits else None
    made = Circuit(
        size, line, states, head, arrays[0].view("<u2"), arrays[1].view("<u2"), arrays[2],
        arrays[3].reshape(size, states, states), arrays[4].reshape(size, states, 256), lessons,
    )  # fmt: skip
    made.__dict__["packed"] = bytes(data)
    return made


def id_of(data: bytes) -> str:
    """Return the id of a model's file, by its first bytes."""
    return bytes(data[len(MAGIC) + 1 :][:ID_BYTES]).hex()


def _unpacked(frame: bytes, size: int) -> bytes:
    """Return what a zstd frame holds, of which there are `size` bytes; nothing where it is not so."""
    import zstandard

    try:
        if zstandard.get_frame_parameters(frame).content_size == zstandard.CONTENTSIZE_UNKNOWN:
            reading = zstandard.ZstdDecompressor(max_window_size=max(1 << 10, 1 << (size - 1).bit_length()))
            return reading.decompress(frame, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError:
        pass
    return b""


def _digest(head: bytes, plain: bytes) -> bytes:
    return hashlib.blake2b(head + plain, digest_size=DIGEST).digest()


def _damaged(why: str) -> CorruptError:
    return CorruptError(f"the model of records is damaged ({why}); get it again, or learn it again")


# ---- numbers from codes ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def levels() -> tuple[int, ...]:
    """Return the counts that codes stand for: 0, then 2^(q / 4) for q = 0..64, rounded."""
    roots = (math.isqrt(math.isqrt(1 << (q + 64))) for q in range(LEVELS - 1))  # 2^(q / 4 + 16), rounded down
    return (0, *((root + (1 << 15)) >> 16 for root in roots))


def _counts(values: Array) -> Array:
    """Return rows of counts, (rows, n), scaled so that each adds up to WHOLE; what is missing goes to the largest."""
    import numpy as np

    total = values.sum(axis=1, keepdims=True)
    scaled = values * WHOLE // total
    scaled[np.arange(len(scaled)), scaled.argmax(axis=1)] += WHOLE - scaled.sum(axis=1)
    return scaled


def walk_of(parents: list[int], depth: list[int], root: int) -> tuple[Array, Array]:
    """Return how to go along a tree from its root to its places in the order of their numbers.

    Returns:
        The steps, 2 * k for up from place k and 2 * k + 1 for down to it; how many there are before each place.

    Raises:
        CorruptError: there are far too many.
    """
    import numpy as np

    steps, stops, at = [], [], root
    for place in range(len(parents)):
        downward = []
        target = place
        while at != target:
            if depth[at] >= depth[target]:
                steps.append(2 * at)
                at = parents[at]
            else:
                downward.append(2 * target + 1)
                target = parents[target]
        steps += reversed(downward)
        stops.append(len(steps))
        at = place
        if len(steps) > MOST_WALK * len(parents):
            raise _damaged("its tree is too far from the order of its bytes")
    return np.array(steps, np.int64), np.array(stops, np.int64)


def _lessons_packed(lessons: Lessons) -> list[bytes]:
    """Return lessons as a file holds them."""
    import numpy as np

    constants = tables()
    cells = lessons.cells ^ np.uint32(1 << 31)
    count = np.searchsorted(np.array(COUNTS), (cells & np.uint32(1023)).astype(np.int64), side="right") - 1
    word = (constants["stretch"][cells >> np.uint32(20)] + 3072) // STEP
    word[count == 0] = 0
    weights = np.clip(lessons.mixer >> WEIGHT_SHIFT, -32768, 32767)
    uses = np.minimum(lessons.uses, 65535)
    return [
        word.astype(np.uint8).tobytes(), count.astype(np.uint8).tobytes(), weights.astype("<i2").tobytes(),
        uses.astype("<u2").tobytes(), lessons.final.astype("<u4").tobytes(),
    ]  # fmt: skip


def _lessons_of(arrays: list[Array], bits: int) -> Lessons:
    """Return the lessons that a file holds.

    Raises:
        CorruptError: they are no such.
    """
    import numpy as np

    word, count, weights, uses, final = arrays
    if int(count.max()) >= len(COUNTS):
        raise _damaged("it has counts that stand for nothing")
    if int(word.max()) >= WORDS:
        raise _damaged("it has probabilities that stand for nothing")
    middle = np.clip(np.arange(WORDS) * STEP + STEP // 2 - 3072, -3071, 3071)
    chance = tables()["squash"][middle + 3071].astype(np.uint32) << np.uint32(16)
    cells = (chance[word] | np.array(COUNTS, np.uint32)[count]) ^ np.uint32(1 << 31)
    cells[count == 0] = 0
    mixer = weights.view("<i2").astype(np.int32) << WEIGHT_SHIFT
    return Lessons(cells, bits, mixer, uses.view("<u2").astype(np.int64), final.view("<u4").astype(np.uint32))


@lru_cache(maxsize=1)
def tables() -> dict[str, Any]:
    """The constant tables, under the names of the kernel's arguments."""
    import numpy as np

    from nzip.models.cm import tables as shared

    return {
        **shared.arrays(),
        "faiths": np.array([256 * count // (count + FAITH) for count in range(1024)], np.int32),
        "wide": np.array(shared.stretch_values(16), np.int32),
    }
