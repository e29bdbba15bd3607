"""Which transforms a block gets: the chains that the registered transforms propose, measured on samples of the block.

For an engine that finds repeats only, the measure is a fast level of zstd, so the choice depends on the version of
libzstd as that engine's payloads do; for engines that see records it is an integer estimate
(`nzip.formats.content.estimate`) or, of lines, what the engine itself makes of samples, where it does not see their
fields: the same settings give the same bytes on every machine. A chain must win clearly: what the estimate promises is
more than what an engine that models records and repeats itself will see. Where a block has several segments, each is a
part with transforms of its own. The longest are asked first, until the plan is full, and short ones are measured on
less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import accumulate
from typing import Any

from nzip.formats.content import estimate
from nzip.formats.content.kinds import TEXT, Content
from nzip.formats.transforms.base import Chain
from nzip.formats.transforms.parts import MOST_STEPS, chain_of
from nzip.process import imported
from nzip.registry import TRANSFORMS

Measure = Callable[[bytes, Chain], int]
Size = Callable[[bytes, Content], int]  # what an engine makes of bytes that hold so much, in bytes

SHORTEST = 64  # bytes of a block that may get a transform
NARROW = 4  # bytes of samples whose differences are known to be of use
GUESSED = 8  # a segment that no header describes is measured if it has one byte in so many of its block
PIECE = 32760  # bytes of one sample; a multiple of the strides 1..10, 12, 14 and 15, so that columns stay columns
ALIGN = 2520
PIECES = 4
LONGEST = 24  # so many parts of a block have samples like a whole block's; shorter parts
SHORTER = 2 * ALIGN  # have samples of so many bytes
FIRST = 3 * ALIGN  # bytes of each of the two samples that choose the finalists, where there are many chains
FINALISTS = 8
CODED, SHORTEST_CODED = 8, 1 << 14  # one byte in so many is coded to choose, in samples of so many bytes at least
HEADER = 9  # bytes that a transform takes in a block's header, about


def choose(block: bytes, content: Content, *, sees_records: bool = True, size: Size | None = None) -> Chain:
    """Return the transforms worth applying to `block`, in order; mostly none.

    Args:
        block: the bytes.
        content: what `detect` says of them.
        sees_records: whether the engine that comes after sees a byte's place in its record and the one above it.
        size: of an engine that sees these, and does not see the fields of lines; None for others.
    """
    segments = content.segments
    if size is not None and all(segment.cls == TEXT for segment in segments):
        lines = _for_lines(block, content, size)
        if lines:
            return lines
    if len(segments) == 1:
        return _for_all(block, content, sees_records, PIECE)
    lengths = [segment.length for segment in segments]
    starts = [0, *accumulate(lengths)]
    chains: list[Chain] = [[] for _ in segments]
    best: Chain = []
    asked = [k for k, segment in enumerate(segments) if segment.sure or lengths[k] * GUESSED >= len(block)]
    for place, k in enumerate(sorted(asked, key=lambda k: -lengths[k])):
        part = block[starts[k] : starts[k + 1]]
        piece = PIECE if place < LONGEST else SHORTER
        chains[k] = _for_all(part, Content((segments[k],)), sees_records, piece, apart=True)
        if chains[k]:
            chain = chain_of(zip(lengths, chains, strict=True))
            if not chain:
                break  # the plan is full; shorter parts matter less
            best = chain
    return best


def _for_lines(block: bytes, content: Content, size: Size) -> Chain:
    """Return the transform with which an engine makes samples of a text's lines shortest, if it saves a 64th: in few
    lines it shows less than in all. Only what becomes shorter by three eighths on its own is coded."""
    if len(block) < 2 * SHORTEST_CODED:
        return []
    chains: list[Chain] = []
    for name in TRANSFORMS:
        transform = TRANSFORMS.by_name(name)
        for params in transform.proposals(content, [], True, False) if transform.resizes else ():
            if transform.repays(block, params) is not False:
                chains.append([(name, params)])
    if not chains:
        return []
    imported("numpy")
    count = min(PIECES, max(1, len(block) // CODED // SHORTEST_CODED))
    sample = _samples(block, min(2 * PIECE, max(SHORTEST_CODED, len(block) // CODED // count)), count)
    made = [(chain, _applied(sample, chain)) for chain in chains]
    made = [(chain, coded) for chain, coded in made if len(coded) * 8 <= len(sample) * 5]
    if not made:
        return []
    plain = size(sample, Content((replace(content.whole, length=len(sample), cls=TEXT),)))
    best, found = plain - plain // 64, Chain()
    for chain, coded in made:
        name, params = chain[0]
        transform = TRANSFORMS.by_name(name)
        length = size(coded, transform.content(coded, content, params))
        if length < best:
            best, found = length, chain
    return found


def _for_all(block: bytes, content: Content, sees_records: bool, piece: int, apart: bool = False) -> Chain:
    """Return the transforms worth applying to a block, or (`apart`) a part of one, of one segment; samples have `piece`
    bytes."""
    if len(block) < SHORTEST:
        return []
    chains: list[Chain] = []
    named = (TRANSFORMS.by_name(name) for name in TRANSFORMS)
    transforms = [transform for transform in named if not (apart and transform.resizes)]
    for transform in transforms:
        for params in transform.proposals(content, [], sees_records, sees_records):
            repays = transform.repays(block, params)
            if repays:
                return [(transform.name, params)]
            if repays is None:
                chains += _continued([(transform.name, params)], transforms, content, sees_records)
    if not chains:
        return []
    imported("numpy")
    known = content.whole.width > 0
    if sees_records:
        # A difference of wider numbers is one of their parts: whether that is any good is no more than a guess.
        fit = content.whole.width <= NARROW and content.whole.sure
        return _best_for_records(block, chains, known and fit, piece)
    return _best_for_repeats(block, chains, known, piece)


def _continued(first: Chain, transforms: list[Any], content: Content, sees_records: bool) -> list[Chain]:
    """Return `first` and the chains that begin with it, the shorter ones before the longer ones."""
    found = [first]
    for chain in found:  # grows while it is walked
        if len(chain) < MOST_STEPS:
            for transform in transforms:
                more = transform.proposals(content, chain, sees_records, sees_records)
                found += [[*chain, (transform.name, params)] for params in more]
    return found


def _samples(block: bytes, piece: int, count: int = PIECES) -> bytes:
    """Return `count` pieces of a block from its start to its end, or one from its middle."""
    if len(block) <= piece * count:
        return bytes(block)
    last = len(block) - piece
    starts = [last * i // (count - 1) // ALIGN * ALIGN for i in range(count)] if count > 1 else [last // 2]
    return b"".join(bytes(block[start : start + piece]) for start in starts)


def _finalists(block: bytes, chains: list[Chain], measure: Measure) -> list[Chain]:
    """Return the chains that do best on a small sample, in the order of `chains`; none if none does anything."""
    if len(chains) <= FINALISTS or len(block) < 2 * FIRST:
        return chains
    middle = len(block) // 3 // ALIGN * ALIGN
    sample = bytes(block[middle : middle + FIRST]) + bytes(block[2 * middle : 2 * middle + FIRST])
    sizes = [measure(sample, chain) for chain in chains]
    if min(sizes) >= measure(sample, []):
        return []
    best = sorted(range(len(chains)), key=lambda k: (sizes[k], k))[:FINALISTS]
    return [chains[k] for k in sorted(best)]


def _shortest(sample: bytes, chains: list[Chain], measure: Measure, below: int) -> Chain:
    """Return the chain that makes `sample` shortest, and shorter than `below`; an earlier one wins by a 128th."""
    best, found = below, Chain()
    for chain in chains:
        size = measure(sample, chain)
        if size + size // 128 < best:
            best, found = size, chain
    return found


def _best_for_repeats(block: bytes, chains: list[Chain], known: bool, piece: int) -> Chain:
    """Return the chain that zstd's level 3 likes best, if it saves a 24th where samples have a known width, and
    of lines, and an eighth where the width is guessed."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=3, write_content_size=False)

    def in_parts(data: bytes, parts: int) -> int:
        return in_stretches(data, [-(-len(data) // parts)] * parts)

    def in_stretches(data: bytes, lengths: list[int]) -> int:
        stops = accumulate(lengths)
        return sum(len(compressor.compress(data[stop - n : stop])) for n, stop in zip(lengths, stops, strict=True))

    def measure(sample: bytes, chain: Chain) -> int:
        parts, coded = _last(chain, "parts", 1), _applied(sample, chain)
        transform: Any = TRANSFORMS.by_name(chain[-1][0]) if chain else None
        size = in_stretches(coded, transform.stretches(coded)) if _resizes(chain) else in_parts(coded, parts)
        return size + HEADER * len(chain)

    # What lines share shows in many only.
    lines = [chain for chain in chains if _resizes(chain)]
    chains = lines + _finalists(block, [chain for chain in chains if chain not in lines], measure)
    sample = _samples(block, 2 * piece if lines else piece)
    # Parts of a real block are longer than one of zstd's blocks and get tables of their own, so the sample's are
    # compressed one by one; lest the cutting alone should win, the plain sample is measured in parts too.
    plain = min(in_parts(sample, parts) for parts in (1, 2, 4))
    found = _shortest(sample, chains if known else lines, measure, plain - plain // 24)
    return found or _shortest(sample, chains, measure, plain - plain // 8)


def _resizes(chain: Chain) -> bool:
    return bool(chain) and TRANSFORMS.by_name(chain[0][0]).resizes


def _best_for_records(block: bytes, chains: list[Chain], known: bool, piece: int) -> Chain:
    """Return the chain with the shortest estimate, if it saves an eighth where a header says that there are samples,
    and a quarter where there is none."""
    import numpy as np

    def measure(sample: bytes, chain: Chain, length: Callable[[Any, int], int] = estimate.columns) -> int:
        data = np.frombuffer(_applied(sample, chain), np.uint8)
        columns = _last(chain, "columns", 0)
        periods = (columns,) if columns else (1, 2, 3, 4)
        size = min(length(data, period) for period in periods) + HEADER * 8 * estimate.UNIT * len(chain)
        # A second step must be clearly better: a second difference doubles the noise.
        return size + (size // 32 if len(chain) > 1 else 0)

    chains = _finalists(block, chains, partial(measure, length=estimate.columns0))
    if not chains:
        return []
    sample = _samples(block, piece)
    plain = measure(sample, [])
    return _shortest(sample, chains, measure, plain - plain // (8 if known else 4))


def _last(chain: Chain, what: str, none: int) -> int:
    """Return the number of columns or parts that the last transform of `chain` leaves."""
    if not chain:
        return none
    name, params = chain[-1]
    number: int = getattr(TRANSFORMS.by_name(name), what)(params)
    return number


def _applied(data: bytes, chain: Chain) -> bytes:
    for name, params in chain:
        data = TRANSFORMS.by_name(name).forward(data, params)
    return data
