"""walloc on pictures: the learned prior against lossless WebP of the same latents, ratio, distortion, speed.

    python benchmarks/latents_webp.py FOLDER [--json FILE]

WebP gets the latents as the paper packs them (three planes as the colours of a tile), as a square of tiles and as a
column, with pillow's slowest setting; the smaller of the two counts. Speeds are of whole calls on all pictures, from
arrays to bytes and back, the better of two.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import PIL.Image

from nzip import __version__
from nzip.codec.signals.decode import decompress_signal
from nzip.codec.signals.encode import encode_signal
from nzip.codec.signals.goals import Goal
from nzip.formats.signals.base import Image
from nzip.models.latent import codecs
from nzip.models.latent.training.data import signal_of

QUALITIES = {"walloc-12": (30, 50, 70, 90), "walloc-48": (20, 40, 60, 75, 90, 100)}


def webp(latents: np.ndarray) -> int:
    """Return the bytes of latents, int8 (Z, h, w), as lossless WebP."""
    count, height, width = latents.shape
    tiles = -(-count // 3)
    values = np.zeros((3 * tiles, height, width), np.uint8)
    values[:count] = (latents.astype(np.int16) + 128).astype(np.uint8)
    colours = values.reshape(tiles, 3, height, width).transpose(0, 2, 3, 1)
    side = math.isqrt(tiles - 1) + 1
    square = np.zeros((side * height, side * width, 3), np.uint8)
    for number, tile in enumerate(colours):
        y, x = divmod(number, side)
        square[y * height : (y + 1) * height, x * width : (x + 1) * width] = tile
    sizes = []
    for picture in (square, colours.reshape(tiles * height, width, 3)):
        out = io.BytesIO()
        PIL.Image.fromarray(np.ascontiguousarray(picture)).save(out, "WEBP", lossless=True, quality=100, method=6)
        sizes.append(len(out.getvalue()))
    return min(sizes)


def measured(pictures: list[np.ndarray], model: str, quality: int) -> dict[str, Any]:
    """Return the figures of one model at one quality."""
    codec, model_id = codecs.by_name("walloc", "image", model)
    settings = codec.settings(quality)
    ours = theirs = pixels = 0
    errors, best_in, best_out = [], math.inf, math.inf
    for round_ in range(2):
        inward = outward = 0.0
        for picture in pictures:
            began = time.perf_counter()
            data = encode_signal(Image(picture), codec="walloc", model=model, goal=Goal(quality=quality)).data
            middle = time.perf_counter()
            back = decompress_signal(data)
            outward += time.perf_counter() - middle
            inward += middle - began
            assert isinstance(back, Image)
            if round_:
                continue
            signal = signal_of(picture)
            latents = codec.analyse(np.ascontiguousarray(signal), settings, None)  # type: ignore[arg-type]
            ours += len(codec.encode(latents, settings))
            theirs += webp(latents[0])
            pixels += picture.shape[0] * picture.shape[1]
            errors.append(10 * math.log10(255**2 / np.mean((back.pixels.astype(float) - picture) ** 2)))
        best_in, best_out = min(best_in, inward), min(best_out, outward)
    return {
        "model": model, "id": model_id, "quality": quality, "psnr": round(float(np.mean(errors)), 3),
        "ratio": round(3 * pixels / ours, 3), "bpp": round(8 * ours / pixels, 4), "bytes": ours, "webp_bytes": theirs,
        "saved": round(1 - ours / theirs, 4), "encode_mpix_s": round(pixels / 1e6 / best_in, 2),
        "decode_mpix_s": round(pixels / 1e6 / best_out, 2),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    files = sorted(arguments.folder.glob("*.png"))
    pictures = [np.asarray(PIL.Image.open(file).convert("RGB")) for file in files]
    rows = []
    for model, qualities in QUALITIES.items():
        for quality in qualities:
            rows.append(measured(pictures, model, quality))
            print(rows[-1], flush=True)
    result = {
        "files": [file.name for file in files], "nzip": __version__, "pillow": PIL.__version__, "numpy": np.__version__,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores", "python": platform.python_version(), "rows": rows,
    }  # fmt: skip
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
