"""vqgan's numbers on pictures: bits of each codebook against log2 of its size, and what lost numbers cost.

    python benchmarks/vqgan_numbers.py FOLDER [--json FILE]

Every code is decoded again and compared. Numbers are lost independently of each other, the same for each way of
filling them: the mean that the transformer expects, its likeliest number, or a copy of the nearest known one. The deep
distance is measured where EfficientNet-lite0's weights are installed.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nzip import __version__
from nzip.evaluation.distortion.images import PictureReference
from nzip.models.latent import codecs
from nzip.models.latent.layers import best_ops
from nzip.models.latent.training.data import signal_of
from nzip.models.latent.vqgan import codec as vqgan

SHARES = (0.05, 0.1, 0.2)
SHOWN = ("psnr", "ms_ssim", "feature_distance")


def bytes_of(signal: np.ndarray) -> np.ndarray:
    """Return a signal (3, H, W) in -1/2..1/2 as pixels, uint8 (H, W, 3)."""
    return np.clip(np.rint((signal.transpose(1, 2, 0) + 0.5) * 255), 0, 255).astype(np.uint8)


def mean_of(rows: list[dict[str, float | None]]) -> dict[str, float]:
    """Return the means of what was measured."""
    found = {name: [value for row in rows if (value := row[name]) is not None] for name in SHOWN}
    return {name: round(float(np.mean(values)), 4) for name, values in found.items() if len(values) == len(rows)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    paths = sorted(asked.folder.glob("*.png"))
    codec, model_id = codecs.by_name("vqgan", "image")
    assert isinstance(codec, vqgan.VqganCodec)
    ops = best_ops()
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    signals = [signal_of(p) for p in pictures]
    books = []
    for rung, size in enumerate(codec.rungs):
        bits = count = pixels = 0
        for signal in signals:
            symbols = codec.analyse(signal, (rung,), ops)
            data = codec.encode(symbols, (rung,))
            assert (codec.decode(data, signal.shape[1:], (rung,))[0] == symbols[0]).all()
            bits, count = bits + 8 * len(data), count + symbols[0].size
            pixels += signal.shape[1] * signal.shape[2]
        row = {"codewords": size, "bits": round(bits / count, 3), "log2": round(math.log2(size), 3)}
        row |= {"saved": round(1 - bits / count / math.log2(size), 4), "bpp": round(bits / pixels, 5)}
        books.append(row)
        print(row, flush=True)
    rung = len(codec.rungs) - 1
    lost_rows = []
    measured: dict[tuple[float, str], list[dict[str, float | None]]] = {}
    for number, (picture, signal) in enumerate(zip(pictures, signals, strict=True)):
        reference, size = PictureReference(picture), signal.shape[1:]
        symbols = codec.analyse(signal, (rung,), ops)

        def look(
            share: float, way: str, symbols: list[np.ndarray], size: tuple[int, ...] = size,
            reference: PictureReference = reference, lost: np.ndarray | None = None,
        ) -> None:  # fmt: skip
            y = codec.synthesise(symbols, size, (rung,), ops, lost)
            measured.setdefault((share, way), []).append(reference.measure(bytes_of(y)))

        look(0.0, "", symbols)
        for share in SHARES:
            lost = np.random.default_rng(number).random(symbols[0].shape) < share
            known = np.where(lost, 0, symbols[0]).astype(np.uint16)
            look(share, "mean", [known], lost=lost)
            look(share, "likeliest", [codec.restore(known, lost, (rung,), ops)])
            look(share, "copy", [vqgan.copied(known, lost)])
    for (share, way), rows in measured.items():
        row_lost: dict[str, Any] = {"lost": share, "filled_by": way, **mean_of(rows)}
        lost_rows.append(row_lost)
        print(row_lost, flush=True)
    result = {
        "tool": "benchmarks/vqgan_numbers.py", "nzip": __version__, "python": platform.python_version(),
        "numpy": np.__version__, "model": model_id, "pictures": len(paths), "books": books, "lost": lost_rows,
    }  # fmt: skip
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
