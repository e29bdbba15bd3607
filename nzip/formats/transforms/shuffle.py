"""Transform `shuffle`: all first bytes of the samples, then all second bytes, and so on.

For arrays of numbers, where the high bytes are alike and the low ones are noise: an engine that finds repeats and
counts bytes sees each kind for itself. The method is the byte shuffle of HDF5 and Blosc (Alted, "Why Modern CPUs Are
Starving and What Can Be Done About It", 2010). docs/reference/TRANSFORMS.md defines it to the bit.
"""

from __future__ import annotations

from nzip.formats.transforms._params import Ranges, checked, expect_size, unpacked
from nzip.formats.transforms.base import Params, Transform

RANGES: Ranges = {"width": (2, 255, 4), "offset": (0, 255, 0)}


class ShuffleTransform(Transform):
    """Sorts bytes by their place in the sample; the length stays.

    Parameters:
        width: 2..255, bytes of a sample (or of a record).
        offset: 0..255, bytes before the first sample, which stay where they are.
    """

    name = "shuffle"
    id = 3
    version = 1

    def pack(self, params: Params) -> bytes:
        return bytes(checked(self.name, RANGES, params).values())

    def unpack(self, packed: bytes) -> dict[str, int]:
        return unpacked(self.name, RANGES, packed)

    def forward(self, block: bytes, params: Params) -> bytes:
        import numpy as np

        p = checked(self.name, RANGES, params)
        width, offset = p["width"], p["offset"]
        count = max(0, len(block) - offset) // width
        if not count:
            return bytes(block)
        body = np.frombuffer(block, np.uint8, count * width, offset).reshape(count, width)  # (count, width)
        return bytes(block[:offset]) + body.T.tobytes() + bytes(block[offset + count * width :])

    def inverse(self, coded: bytes, size: int, params: Params) -> bytes:
        import numpy as np

        p = checked(self.name, RANGES, params)
        expect_size(self.name, coded, size)
        width, offset = p["width"], p["offset"]
        count = max(0, len(coded) - offset) // width
        if not count:
            return bytes(coded)
        body = np.frombuffer(coded, np.uint8, count * width, offset).reshape(width, count)  # (width, count)
        return bytes(coded[:offset]) + body.T.tobytes() + bytes(coded[offset + count * width :])
