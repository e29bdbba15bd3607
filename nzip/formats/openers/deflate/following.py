"""Streams of other encoders: coded as differences from what a search makes likely, under settings that fit them best.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.openers.deflate.inflation import Inflated
from nzip.process import imported

Array = Any
MARK = 0  # the first byte of such a recipe
DEEPEST = 12  # the logarithm of places that are looked at
MOST_TOKENS = 1 << 20  # of a block
STEPS = 1024  # of searches that a byte may take, on the average, and
FEWEST = 1 << 16  # so many more
QUICK = 32  # and in a trial
FEW = 512  # tokens for which only depths are tried
ENOUGH = 200  # of a sample of so many coded bytes, a byte and 16 more are not worth looking for better
ALL = 1 << 60
SAMPLE = 1 << 13  # tokens by which settings are chosen
OVER = 1 << 14  # more of them that the last block may have, whose codes then count
FIRST = 1 << 12  # tokens by which most settings are ruled out
BEST = 3  # that are left
CLOSE = 1.125  # how much more of a stream a guide of others may take, and
SPARE = 8  # so many bytes
LONGER = 2  # how many times longer it may be than that one
DEPTHS = (7, 5, 3, 0, 9, 12, 10, 6, 4, 2, 1)
NICES = (258, 128, 64, 32, 16, 8)
SPARSE = (258, 4, 6, 5, 16, 32, 3)


class Guide(NamedTuple):
    """How matches and codes are foreseen.

    Attributes:
        depth: the logarithm of how many places are looked at for a match.
        nice: a match of this length is taken at once.
        family: 0: chains of places with three bytes alike, 1: with four.
        sparse: places inside of longer matches are in no chain.
        builder: 0: codes as zlib makes them, 1: by sorting.
        joined: 1: lengths of both codes are written as one row.
    """

    depth: int = 7
    nice: int = 258
    family: int = 0
    sparse: int = 258
    builder: int = 0
    joined: int = 0


class Edges(NamedTuple):
    """How a part of a stream begins and ends.

    Attributes:
        start: bytes that stand before it, in which matches are found.
        goes_on: 1 if the stream goes on behind it.
        held: bits of its first byte that are there already, and
        bits: these.
    """

    start: int = 0
    goes_on: int = 0
    held: int = 0
    bits: int = 0


WHOLE = Edges()


def _settings(
    guide: Guide, size: int, most_tokens: int, padding: int, steps: int = STEPS, edges: Edges = WHOLE
) -> Array:
    import numpy as np

    from nzip.formats.openers.deflate import follow_kernel as kernel

    out = np.zeros(kernel.SETTINGS, np.int64)
    out[kernel.DEPTH], out[kernel.NICE], out[kernel.FAMILY] = 1 << guide.depth, guide.nice, guide.family
    out[kernel.SPARSE], out[kernel.BUILDER], out[kernel.JOINED] = guide.sparse, guide.builder, guide.joined
    out[kernel.BUDGET], out[kernel.MOST_TOKENS] = steps * size + FEWEST, most_tokens
    out[kernel.PADDING] = padding
    out[kernel.START], out[kernel.ON] = edges.start, edges.goes_on
    return out


class Arrays:
    """What a run of the kernel works in."""

    def __init__(self) -> None:
        import numpy as np

        from nzip.formats.openers.deflate import follow_kernel as kernel
        from nzip.formats.openers.deflate import layout, trees_kernel

        self.heads = np.zeros(2 << kernel.HASH_BITS, np.int32)
        self.before = np.empty(2 * (kernel.MASK + 1), np.uint16)
        self.work = np.zeros(trees_kernel.WORK + 336, np.int64)
        self.scratch = np.zeros(layout.SCRATCH, np.int32)
        self.steps = np.zeros(512, np.int32)
        self.probs = np.empty(kernel.CONTEXTS, np.int64)
        self.used = False

    def run(self, mode: int, plain: Array, size: int, settings: Array, tokens: Array, coded: Array, blocks: Array,
            data: Array, out: Array, limit: int) -> tuple[int, Array]:  # fmt: skip
        """Return what the kernel returns, and the coder behind it."""
        from nzip.entropy import bounds
        from nzip.formats.openers.deflate import follow_kernel as kernel
        from nzip.formats.openers.deflate.tables import TABLES

        if self.used:
            self.heads[:] = 0
            self.work[:] = 0
        self.used = True
        self.probs[:] = 1 << 31
        coder = bounds.begin(data if mode == kernel.DECODING else None)
        half = len(self.heads) // 2
        status = kernel.follow(
            mode, plain, size, settings, self.heads[:half], self.heads[half:], self.before, tokens, self.work, TABLES,
            coded, blocks, self.scratch, self.steps, self.probs, coder, data, out, limit,
        )  # fmt: skip
        return int(status), coder


class Follower:
    """Codes a stream.

    Args:
        coded: its bytes.
        stream: what they hold.
        edges: of a part of a stream.
    """

    def __init__(self, coded: bytes, stream: Inflated, edges: Edges = WHOLE):
        import numpy as np

        imported("numba", "nzip.formats.openers.deflate.follow_kernel")
        from nzip.formats.openers.deflate.redo_kernel import PAD

        self.coded = np.frombuffer(coded, np.uint8)
        self.stream = stream
        self.edges = edges
        self.arrays = Arrays()
        self.size = len(stream.plain)
        self.plain = np.concatenate((stream.plain, np.zeros(PAD, np.uint8)))
        after = [*stream.blocks[1:, 2].tolist(), len(stream.tokens)]
        self.most_tokens = max(b - a for a, b in zip(stream.blocks[:, 2].tolist(), after, strict=True))

    def able(self) -> bool:
        """Whether the stream is of a form that a recipe can have."""
        return self.most_tokens <= MOST_TOKENS and not self.stream.odd

    def coded_by(self, guide: Guide, limit: int, over: int = OVER) -> tuple[bytes, int] | None:
        """Return (what the coder wrote, the bytes of plain text that it stands for), as far as token `limit` or the end
        of its block, which is at most `over` tokens behind it."""
        import numpy as np

        from nzip.entropy import bounds
        from nzip.formats.openers.deflate import follow_kernel

        data = np.empty(len(self.coded) + 256, np.uint8)
        steps = STEPS if limit == ALL else QUICK
        settings = _settings(guide, self.size, self.most_tokens, 0, steps, self.edges)
        settings[follow_kernel.OVER] = over
        status, coder = self.arrays.run(0, self.plain, self.size, settings, self.stream.tokens, self.coded,
                                        self.stream.blocks, data, data[:0], limit)  # fmt: skip
        if status < 0:
            return None
        end = bounds.finish(coder, data)
        return None if end > len(data) else (data[:end].tobytes(), status)

    def best(self, recent: Sequence[tuple[Guide, float, int]] = ()) -> tuple[Guide, int, int]:
        """Return the guide that suits the first tokens best, the bytes that these take with it, and those of plain
        text that they stand for.

        Args:
            recent: guides of other streams, the share of their bytes that they took, and these bytes. One that does as
                well here is taken, if the stream is not much longer.
        """
        tried: dict[Guide, tuple[int, int]] = {}
        few_tried: dict[Guide, int] = {}

        def cost(guide: Guide) -> int:
            if guide not in tried:
                made = self.coded_by(guide, SAMPLE)
                tried[guide] = (1 << 40, 1) if made is None else (len(made[0]), made[1])
            return tried[guide][0]

        def quick(guide: Guide) -> int:
            if guide not in few_tried:
                made = self.coded_by(guide, FIRST, 0)
                few_tried[guide] = 1 << 40 if made is None else len(made[0])
            return few_tried[guide]

        for guide, share, size in recent:
            if len(self.coded) > LONGER * size:
                continue
            coded = len(self.coded) * tried[guide][1] / max(1, self.size) if cost(guide) < 1 << 40 else 0
            if cost(guide) <= CLOSE * share * coded + SPARE:
                return guide, *tried[guide]
        first = min((Guide(family=family) for family in (0, 1)), key=cost)
        first = min((first._replace(builder=b, joined=j) for b in (0, 1) for j in (0, 1)), key=cost)
        enough = cost(first) <= 16 + len(self.coded) // ENOUGH * min(1, tried[first][1] / max(1, self.size))
        few = len(self.stream.tokens) < FEW
        for family in () if enough else (0, 1):
            best = first._replace(family=family)
            best = min((best._replace(depth=depth) for depth in (DEPTHS[:6] if few else DEPTHS)), key=quick)
            if few:
                continue
            best = min((best._replace(nice=nice) for nice in NICES), key=quick)
            min((best._replace(sparse=sparse) for sparse in SPARSE), key=quick)
        for guide in sorted(few_tried, key=quick)[:BEST]:
            cost(guide)
        best = min(tried, key=cost)
        if few_tried:
            for depth in range(max(best.depth - 1, 0), min(best.depth + 1, DEEPEST) + 1):
                cost(best._replace(depth=depth))
            best = min(tried, key=cost)
        return best, *tried[best]


def pack(guide: Guide, most_tokens: int, padding: int, data: bytes) -> bytes:
    """Return the recipe."""
    flags = guide.family | guide.builder << 1 | guide.joined << 2
    head = bytes((MARK, guide.depth | flags << 4, guide.nice - 3, guide.sparse - 3))
    return head + uleb(most_tokens << 8 | padding) + data


def close(inner: bytes, recipe: bytes, size: int, edges: Edges = WHOLE) -> bytes:
    """Return the stream that a recipe, as `pack` made it, and what is inside stand for.

    Raises:
        CorruptError: there is none.
    """
    imported("numba", "nzip.formats.openers.deflate.follow_kernel")
    import numpy as np

    from nzip.entropy import bounds
    from nzip.formats.openers.deflate.redo_kernel import PAD

    source = Reader(recipe, 1)
    first, nice, sparse = source.u8(), source.u8() + 3, source.u8() + 3
    most_tokens, padding = divmod(source.uleb(), 256)
    depth, flags = first & 15, first >> 4
    if depth > DEEPEST or most_tokens > min(MOST_TOKENS, len(inner)) or flags > 7:
        raise CorruptError("a deflate recipe has settings that do not exist")
    guide = Guide(depth, nice, flags & 1, sparse, flags >> 1 & 1, flags >> 2 & 1)
    data = np.frombuffer(source.bytes(source.left()), np.uint8).copy()
    plain = np.zeros(len(inner) + PAD, np.uint8)
    plain[: len(inner)] = np.frombuffer(inner, np.uint8)
    out = np.empty(size, np.uint8)
    settings = _settings(guide, len(inner), most_tokens, padding, edges=edges)
    work_end, coder, written = _decode(plain, len(inner), settings, most_tokens, out, data, edges)
    if work_end != len(inner) or written > size:
        raise CorruptError("a deflate recipe stands for no stream of the size that is allowed")
    bounds.check_end(coder, len(data))
    return out[:written].tobytes()


def _decode(
    plain: Array, size: int, settings: Array, most_tokens: int, out: Array, data: Array, edges: Edges
) -> tuple[int, Array, int]:
    import numpy as np

    from nzip.formats.openers.deflate import follow_kernel as kernel
    from nzip.formats.openers.deflate import trees_kernel

    tokens = np.empty(most_tokens, np.uint32)
    blocks = np.empty((0, 5), np.int64)
    none = np.frombuffer(b"", np.uint8)
    arrays = Arrays()
    arrays.work[trees_kernel.HELD], arrays.work[trees_kernel.HELD_BITS] = edges.bits, edges.held
    status, coder = arrays.run(kernel.DECODING, plain, size, settings, tokens, none, blocks, data, out, 0)
    return status, coder, int(settings[kernel.WRITTEN])
