"""Transform `delta`: each sample minus the one `stride` bytes before it, modulo its range.

For waveforms, rasters and tables of numbers: neighbours are alike, so differences are small. This is the predictor
of order 1 that PCM coders start from (Robinson, "SHORTEN", 1994, section 3.1); applied twice it is that of order 2.
docs/reference/TRANSFORMS.md defines it to the bit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nzip.formats.content.kinds import Content, Segment
from nzip.formats.transforms.base import Chain, Transform, expect_size
from nzip.params import Flag, Number, Parameters, Params

MOST_STRIDE = 255
MOST_COLUMNS = 8
WIDEST = 4  # bytes of a sample
GUESSED_STRIDES = (2, 4, 3, 1, 8, 6)  # tried where no header says what there is
GUESSED_WIDTHS = {1: (1,), 2: (1, 2), 3: (1, 3), 4: (1, 2, 4), 6: (1, 2, 3), 8: (1, 2, 4)}


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
            high=MOST_STRIDE,
            default=1,
            help="Distance in bytes of the sample that is subtracted; a multiple of the width.",
        ),
        Number(name="width", low=1, high=WIDEST, default=1, help="Bytes of a sample; carries stay inside the sample."),
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

    def content(self, coded: bytes, content: Content, params: Params) -> Content:
        """Differences of audio samples are audio samples of the same shape, to contexts; of others, plain bytes."""
        whole = content.whole
        if whole.kind == "audio" and whole.sure and whole.width == params["width"]:
            return Content((replace(whole, length=len(coded)),))
        return super().content(coded, content, params)

    def proposals(self, content: Content, before: Chain, sees_records: bool, sees_lines: bool) -> list[dict[str, Any]]:
        """Propose differences of the first order, and after those of samples of two bytes or more of the second.

        Where an engine sees a byte's place in its record and the byte above it, differences of bytes give nothing, and
        those of pixels little; what it does not see is arithmetic.
        """
        if before:
            (name, params), *more = before
            return [params] if name == self.name and params["width"] > 1 and not more else []
        whole = content.whole
        if not whole.numeric or (sees_records and whole.sure and whole.kind in ("image", "bitmap")):
            return []
        if whole.sure and whole.width:
            return _of_header(whole) if sees_records or whole.width <= WIDEST else []
        return [params for params in _guessed(whole) if params["width"] > 1 or not sees_records]

    def columns(self, params: Params) -> int:
        return min(params["stride"], MOST_COLUMNS)


def _params(stride: int, width: int, big: int, offset: int) -> dict[str, Any]:
    return {"stride": stride, "width": width, "big": big, "offset": offset}


def _of_header(found: Segment) -> list[dict[str, Any]]:
    """Return parameters for samples that a header describes: of a frame or pixel, of neighbours, of bytes."""
    width, stride, big = found.width, found.stride or found.width, int(found.big)
    phase = found.offset % width
    if width > WIDEST:  # numbers in parts: the highest are alike, and often all
        strides = [each for each in dict.fromkeys((stride, width)) if each <= MOST_STRIDE]
        return [_params(each, WIDEST, big, found.offset % WIDEST) for each in strides if width % WIDEST == 0]
    proposed = [_params(stride, width, big, phase)]
    if stride != width:
        proposed.append(_params(width, width, big, phase))
    if width > 1:
        proposed.append(_params(stride, 1, 0, 0))
    return proposed


def _guessed(found: Segment) -> list[dict[str, Any]]:
    """Return parameters for bytes without a header that says more than their kind."""
    strides = (found.record, *GUESSED_STRIDES) if 0 < found.record <= MOST_STRIDE else GUESSED_STRIDES
    proposed: list[dict[str, Any]] = []
    for stride in dict.fromkeys(strides):
        for width in GUESSED_WIDTHS.get(stride, (1,)):
            for big in (0, 1) if width > 1 else (0,):
                if not (found.big and width > 1 and not big):
                    # Blocks are cut at powers of two, so only samples of three bytes can start elsewhere.
                    proposed += [_params(stride, width, big, offset) for offset in range(3 if width == 3 else 1)]
    return proposed


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
