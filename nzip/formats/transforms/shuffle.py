"""Transform `shuffle`: all first bytes of the samples, then all second bytes, and so on.

For arrays of numbers, where the high bytes are alike and the low ones are noise: an engine that finds repeats and
counts bytes sees each kind for itself. The method is the byte shuffle of HDF5 and Blosc (Alted, "Why Modern CPUs Are
Starving and What Can Be Done About It", 2010). docs/TRANSFORMS.md defines it to the bit.
"""

from __future__ import annotations

from nzip.formats.transforms.base import Transform, expect_size
from nzip.params import Number, Parameters, Params


class ShuffleTransform(Transform):
    """Sorts bytes by their place in the sample; the length stays."""

    name = "shuffle"
    id = 3
    version = 1
    parameters = Parameters(
        "transform shuffle",
        Number(name="width", low=2, high=255, default=4, help="Bytes of a sample, or of a record."),
        Number(
            name="offset", low=0, high=255, default=0, help="Bytes before the first sample, which stay where they are."
        ),
    )

    def forward(self, block: bytes, params: Params) -> bytes:
        import numpy as np

        p = self.parameters.check(params)
        width, offset = p["width"], p["offset"]
        count = max(0, len(block) - offset) // width
        if not count:
            return bytes(block)
        body = np.frombuffer(block, np.uint8, count * width, offset).reshape(count, width)  # (count, width)
        return bytes(block[:offset]) + body.T.tobytes() + bytes(block[offset + count * width :])

    def inverse(self, coded: bytes, size: int, params: Params) -> bytes:
        import numpy as np

        p = self.parameters.check(params)
        expect_size(self.name, coded, size)
        width, offset = p["width"], p["offset"]
        count = max(0, len(coded) - offset) // width
        if not count:
            return bytes(coded)
        body = np.frombuffer(coded, np.uint8, count * width, offset).reshape(width, count)  # (width, count)
        return bytes(coded[:offset]) + body.T.tobytes() + bytes(coded[offset + count * width :])
