"""Transform `shuffle`: all first bytes of the samples, then all second bytes, and so on.

For arrays of numbers, where the high bytes are alike and the low ones are noise: an engine that finds repeats and
counts bytes sees each kind for itself. The method is the byte shuffle of HDF5 and Blosc (Alted, "Why Modern CPUs Are
Starving and What Can Be Done About It", 2010). docs/reference/TRANSFORMS.md defines it to the bit.
"""

from __future__ import annotations

from typing import Any

from nzip.formats.content.kinds import Content
from nzip.formats.transforms.base import Chain, Transform, expect_size
from nzip.params import Number, Parameters, Params

MOST_WIDTH = 255
GUESSED_WIDTHS = (2, 4, 3, 8)  # tried where no header says what there is


class ShuffleTransform(Transform):
    """Sorts bytes by their place in the sample; the length stays."""

    name = "shuffle"
    id = 3
    version = 1
    parameters = Parameters(
        "transform shuffle",
        Number(name="width", low=2, high=MOST_WIDTH, default=4, help="Bytes of a sample, or of a record."),
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

    def proposals(self, content: Content, before: Chain, sees_records: bool, sees_lines: bool) -> list[dict[str, Any]]:
        """Propose the widths of samples, or the width that the transform before it works on.

        An engine that sees records knows each byte's place in them and gains nothing.
        """
        whole = content.whole
        if sees_records or not whole.numeric:
            return []
        if before:
            last = before[-1][1]
            width, offset = last.get("width", 1), last.get("offset", 0)
            return [_params(width, offset)] if before[-1][0] != self.name and width > 1 else []
        if not (whole.sure and whole.width):
            return [_params(width, 0) for width in GUESSED_WIDTHS]
        width, stride = whole.width, whole.stride
        widths = [width] if width > 4 else [width, 2 * width, stride] if width > 1 else []
        return [_params(w, whole.offset % w) for w in dict.fromkeys(widths) if w <= MOST_WIDTH]

    def parts(self, params: Params) -> int:
        width: int = params["width"]
        return width


def _params(width: int, offset: int) -> dict[str, Any]:
    return {"width": width, "offset": offset}
