"""Which transforms a block gets: the chains that `detect` proposes, measured on samples of the block.

For the engine zstd the measure is a fast level of zstd itself, whose payloads depend on the version of libzstd
already; for all others it is an integer estimate (`nzip.formats.estimate`), so that the same settings give the same
bytes on every machine. A chain must win clearly: what the estimate promises is more than what an engine that models
records and repeats itself will see.
"""

from __future__ import annotations

from collections.abc import Callable

from nzip.formats import estimate
from nzip.formats.detect import Chain, Content, detect, proposals
from nzip.formats.transforms import Transform

PIECE = 32760  # bytes of one sample; a multiple of the strides 1..10, 12, 14 and 15, so that columns stay columns
ALIGN = 2520
PIECES = 4
MIN_CALLS = 16


def choose(block: bytes, engine: str, content: Content | None = None) -> Chain:
    """Return the transforms worth applying to `block` before `engine`, in order; mostly none.

    Args:
        block: the bytes.
        engine: the engine's name.
        content: what `detect` said of `block`, if it was asked already.
    """
    if engine == "store" or len(block) < 64:
        return []
    if content is None:
        content = detect(block)
    chains = proposals(content, block)
    if not chains:
        return []
    if content.kind == "exe-x86":
        return chains[0] if _calls_repeat(block) else []
    if engine == "zstd":
        return _best_for_zstd(block, chains)
    return _best_for_contexts(block, chains)


def _samples(block: bytes) -> bytes:
    if len(block) <= PIECE * PIECES:
        return bytes(block)
    starts = [(len(block) - PIECE) * i // (PIECES - 1) // ALIGN * ALIGN for i in range(PIECES)]
    return b"".join(bytes(block[start : start + PIECE]) for start in starts)


def _best_for_zstd(block: bytes, chains: list[Chain]) -> Chain:
    """Return the chain that zstd's level 3 likes best, if it saves a sixteenth."""
    import zstandard

    sample = _samples(block)
    compressor = zstandard.ZstdCompressor(level=3, write_content_size=False)
    plain = len(compressor.compress(sample))
    best, found = plain - plain // 16, []
    for chain in chains:
        coded = _apply(sample, chain)
        # Planes of a real block are longer than one of zstd's blocks, and get tables of their own.
        parts = chain[-1][1]["width"] if chain[-1][0] == "planes" else 1
        length = -(-len(coded) // parts)
        size = sum(len(compressor.compress(coded[i : i + length])) for i in range(0, len(coded), length))
        if size + size // 128 < best:
            best, found = size, chain
    return found


def _best_for_contexts(block: bytes, chains: list[Chain]) -> Chain:
    """Return the chain of differences with the shortest estimate, if it saves a quarter.

    Planes are left out: an engine with contexts sees a byte's place and its neighbours itself.
    """
    import numpy as np

    def measure(data: bytes, period: int) -> int:
        return estimate.columns(np.frombuffer(data, np.uint8), period)

    sample = _samples(block)
    plain = min(measure(sample, period) for period in (1, 2, 3, 4))
    best, found = plain - plain // 8, []
    for chain in chains:
        if any(name != "delta" for name, _ in chain):
            continue
        length = measure(_apply(sample, chain), max(1, chain[0][1]["stride"] if chain[0][1]["stride"] <= 8 else 1))
        # A second difference is only right where it is clearly right: it doubles the noise.
        if length + length // (32 if len(chain) == 1 else 24) < best:
            best, found = length, chain
    return found


def _apply(data: bytes, chain: Chain) -> bytes:
    for name, params in chain:
        data = _transform(name).forward(data, params)
    return data


def _transform(name: str) -> Transform:
    from nzip.formats.filters.delta import DeltaTransform
    from nzip.formats.filters.planes import PlanesTransform
    from nzip.formats.filters.x86 import X86Transform

    kinds: dict[str, Callable[[], Transform]] = {"delta": DeltaTransform, "planes": PlanesTransform, "x86": X86Transform}
    return kinds[name]()


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
