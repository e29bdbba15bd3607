"""What there is to compile in this room: each coder codes a few symbols."""

from __future__ import annotations

import numpy as np

from nzip.entropy import binary, rans
from nzip.entropy import range as ranges


def prepare() -> None:
    """Compile the entropy coders."""
    symbols = np.array([0, 1, 2, 1], np.int32)
    freqs = np.array([1, 2, 1], np.uint32)
    binary.decode_bits(binary.encode_bits([0, 1, 1], [1 << 15] * 3), [1 << 15] * 3)
    starts = np.array([0, 1, 3], np.uint32)[symbols]
    ranges.encode_intervals(starts, freqs[symbols], np.full(4, 4, np.uint32))
    ranges.decode_symbols(ranges.encode_symbols(symbols, freqs), freqs, 4)
    ranges.decode_adaptive(ranges.encode_adaptive(symbols, 3), 3, 4)
    table = rans.RansTable(freqs, 2)
    rans.decode(rans.encode_reverse(symbols, table), table, 4)
    cdfs = np.tile(np.array([0, 1, 3, 4], np.uint32), (4, 1))
    rans.decode_family(rans.encode_reverse_family(starts, freqs[symbols], 2), cdfs, 2)
