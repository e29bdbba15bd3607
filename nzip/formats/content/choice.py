"""Which transforms a block gets: the chains that `detect` proposes, measured on samples of the block.

For the engine zstd the measure is a fast level of zstd itself, whose payloads depend on the version of libzstd
already; for all others it is an integer estimate (`nzip.formats.content.estimate`), so that the same settings give
the same bytes on every machine. A chain must win clearly: what the estimate promises is more than what an engine that
models records and repeats itself will see.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from nzip.formats.content import estimate
from nzip.formats.content.detection import Chain, Content, detect, proposals
from nzip.process import imported

PIECE = 32760  # bytes of one sample; a multiple of the strides 1..10, 12, 14 and 15, so that columns stay columns
ALIGN = 2520
PIECES = 4
FIRST = 3 * ALIGN  # bytes of each of the two samples that choose the finalists, where there are many chains
FINALISTS = 8
MIN_CALLS = 16
HEADER = 9  # bytes that a transform takes in a block's header, about


def choose(block: bytes, engine: str, content: Content | None = None) -> Chain:
    """Return the transforms worth applying to `block` before `engine`, in order; mostly none.

    Args:
        block: the bytes.
        engine: the engine's name.
        content: what `detect` said of `block`, if it was asked already.
    """
    if engine == "store" or len(block) < 64:
        return []
    imported("numpy")
    if content is None:
        content = detect(block, texts=False)
    chains = proposals(content, block)
    if not chains:
        return []
    if content.kind == "exe-x86":
        return chains[0] if _calls_repeat(block) else []
    if engine == "zstd":
        return _best_for_zstd(block, content, chains)
    if content.kind == "bitmap":
        return []
    return _best_for_contexts(block, content, chains)


def _samples(block: bytes) -> bytes:
    if len(block) <= PIECE * PIECES:
        return bytes(block)
    starts = [(len(block) - PIECE) * i // (PIECES - 1) // ALIGN * ALIGN for i in range(PIECES)]
    return b"".join(bytes(block[start : start + PIECE]) for start in starts)


def _finalists(block: bytes, chains: list[Chain], measure: Callable[[bytes, Chain], int]) -> list[Chain]:
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


def _best_for_zstd(block: bytes, content: Content, chains: list[Chain]) -> Chain:
    """Return the chain that zstd's level 3 likes best, if it saves a 24th where samples have a known width, and an
    eighth where they have none."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=3, write_content_size=False)

    def measure(data: bytes, parts: int) -> int:
        length = -(-len(data) // parts)
        return sum(len(compressor.compress(data[i : i + length])) for i in range(0, len(data), length))

    def measure_chain(sample: bytes, chain: Chain) -> int:
        parts = chain[-1][1]["width"] if chain and chain[-1][0] == "shuffle" else 1
        return measure(_apply(sample, chain), parts) + HEADER * len(chain)

    chains = _finalists(block, chains, measure_chain)
    sample = _samples(block)
    # Planes of a real block are longer than one of zstd's blocks and get tables of their own, so the sample's are
    # compressed one by one; lest the cutting alone should win, the plain sample is measured in parts too.
    plain = min(measure(sample, parts) for parts in (1, 2, 4))
    best: int = plain - plain // (24 if content.width else 8)
    found: Chain = []
    for chain in chains:
        size = measure_chain(sample, chain)
        if size + size // 128 < best:
            best, found = size, chain
    return found


def _best_for_contexts(block: bytes, content: Content, chains: list[Chain]) -> Chain:
    """Return the chain of differences with the shortest estimate, if it saves an eighth where a header says that there
    are samples, and a quarter where there is none.

    Planes are left out, and so are differences of bytes without a header: an engine with contexts sees a byte's
    place in its record and the one above it itself, and better. What it does not see is arithmetic.
    """
    import numpy as np

    def measure_chain(sample: bytes, chain: Chain, measure: Callable[[Any, int], int] = estimate.columns) -> int:
        data = np.frombuffer(_apply(sample, chain), np.uint8)
        if not chain:
            return min(measure(data, period) for period in (1, 2, 3, 4))
        length = measure(data, min(chain[0][1]["stride"], 8)) + HEADER * 8 * estimate.UNIT * len(chain)
        # A second difference must be clearly better: it doubles the noise.
        return length + (length // 32 if len(chain) > 1 else 0)

    certain = content.confidence >= 90 and content.width > 0
    chains = [chain for chain in chains if all(name == "delta" for name, _ in chain)]
    chains = [chain for chain in chains if certain or chain[0][1]["width"] > 1]
    chains = _finalists(block, chains, partial(measure_chain, measure=estimate.columns0))
    if not chains:
        return []
    sample = _samples(block)
    plain = measure_chain(sample, [])
    best: int = plain - plain // (8 if certain else 4)
    found: Chain = []
    for chain in chains:
        length = measure_chain(sample, chain)
        if length + length // 128 < best:
            best, found = length, chain
    return found


def _apply(data: bytes, chain: Chain) -> bytes:
    from nzip.formats.transforms.delta import DeltaTransform
    from nzip.formats.transforms.shuffle import ShuffleTransform

    for name, params in chain:
        data = {"delta": DeltaTransform, "shuffle": ShuffleTransform}[name]().forward(data, params)
    return data


def _calls_repeat(block: bytes) -> bool:
    """Whether calls and jumps have clearly fewer targets than operands, which is all that x86 lives from."""
    import numpy as np

    data = np.frombuffer(block, np.uint8)
    places = np.flatnonzero((data[:-4] == 0xE8) | (data[:-4] == 0xE9))
    places = places[(data[places + 4] == 0) | (data[places + 4] == 255)][:65536]
    if len(places) < MIN_CALLS:
        return False
    operands = sum(data[places + 1 + i].astype(np.int64) << 8 * i for i in range(3))
    targets = (operands + places + 5) & 0xFFFFFF
    return (len(np.unique(operands)) - len(np.unique(targets))) * 16 >= len(places)
