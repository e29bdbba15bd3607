"""Transform `delta`: each sample minus the one `stride` bytes before it, modulo its range.

For waveforms, rasters and tables of numbers: neighbours are alike, so differences are small. This is the predictor
of order 1 that PCM coders start from (Robinson, "SHORTEN", 1994, section 3.1); applied twice it is that of order 2.
docs/TRANSFORMS.md defines it to the bit.
"""

from __future__ import annotations

from typing import Any

from nzip.formats.transforms.base import Transform, expect_size
from nzip.params import Flag, Number, Parameters, Params


def _contradiction(p: dict[str, Any]) -> str | None:
    if p["stride"] % p["width"]:
        return f"stride {p['stride']} is not a multiple of width {p['width']}"
    return "big is for samples of two bytes or more" if p["big"] and p["width"] == 1 else None


class DeltaTransform(Transform):
    """Replaces samples by differences; the length stays."""

    name = "delta"
    id = 1
    version = 1
    parameters = Parameters(
        "transform delta",
        Number(
            name="stride",
            low=1,
            high=255,
            default=1,
            help="Distance in bytes of the sample that is subtracted; a multiple of the width.",
        ),
        Number(name="width", low=1, high=4, default=1, help="Bytes of a sample; carries stay inside the sample."),
        Flag(
            name="big",
            default=0,
            bits=8,
            help="1 if the first byte of a sample is its highest, 0 if it is its lowest; 0 with width 1.",
        ),
        Number(
            name="offset", low=0, high=255, default=0, help="Bytes before the first sample, which stay as they are."
        ),
        rule=_contradiction,
    )

    def forward(self, block: bytes, params: Params) -> bytes:
        p = self.parameters.check(params)
        lag = p["stride"] // p["width"]
        samples, head, tail = _samples(block, p)
        if len(samples) <= lag:
            return bytes(block)
        out = samples.copy()
        out[lag:] -= samples[:-lag]
        return head + _bytes(out, p) + tail

    def inverse(self, coded: bytes, size: int, params: Params) -> bytes:
        import numpy as np

        p = self.parameters.check(params)
        expect_size(self.name, coded, size)
        lag = p["stride"] // p["width"]
        samples, head, tail = _samples(coded, p)
        if len(samples) <= lag:
            return bytes(coded)
        # Rows of `lag` samples: each column is one running sum. The last row may be short.
        rows = len(samples) // lag
        out = np.empty_like(samples)
        whole = samples[: rows * lag].reshape(rows, lag)  # (rows, lag)
        np.cumsum(whole, axis=0, dtype=samples.dtype, out=out[: rows * lag].reshape(rows, lag))
        rest = len(samples) - rows * lag
        out[rows * lag :] = samples[rows * lag :] + out[(rows - 1) * lag : (rows - 1) * lag + rest]
        return head + _bytes(out, p) + tail


def _samples(data: bytes, p: dict[str, int]) -> tuple[Any, bytes, bytes]:
    """Return the whole samples as unsigned integers of the machine, and the bytes before and behind them."""
    import numpy as np

    width, offset = p["width"], p["offset"]
    count = max(0, len(data) - offset) // width
    end = offset + count * width
    if not count:
        return np.empty(0, np.uint8), bytes(data), b""
    order = ">" if p["big"] else "<"
    if width == 3:
        digits = np.frombuffer(data, np.uint8, count * 3, offset).reshape(count, 3)  # (count, 3)
        wide = np.zeros((count, 4), np.uint8)
        wide[:, :3] = digits[:, ::-1] if p["big"] else digits
        samples = wide.reshape(-1).view("<u4")
    else:
        samples = np.frombuffer(data, f"{order}u{width}", count, offset)
    return samples.astype(samples.dtype.newbyteorder("="), copy=False), bytes(data[:offset]), bytes(data[end:])


def _bytes(samples: Any, p: dict[str, int]) -> bytes:
    """Return `samples` as they stand in a block; the mirror of `_samples`."""
    import numpy as np

    if p["width"] != 3:
        stored: bytes = samples.astype(samples.dtype.newbyteorder(">" if p["big"] else "<"), copy=False).tobytes()
        return stored
    wide = samples.astype("<u4", copy=False).view(np.uint8).reshape(-1, 4)[:, :3]
    return np.ascontiguousarray(wide[:, ::-1] if p["big"] else wide).tobytes()
