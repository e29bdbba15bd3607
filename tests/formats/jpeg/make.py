"""Makes the JPEG files that tests read, of pictures that are computed: python tests/formats/jpeg/make.py (Pillow)."""

from __future__ import annotations

import io
import math
from pathlib import Path

from PIL import Image

FILES = Path(__file__).parent / "files"


def picture(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Return hills with some edges and a little noise."""
    bands = len(mode)
    values, noise = bytearray(), 12345
    for y in range(height):
        for x in range(width):
            for band in range(bands):
                noise = noise * 1103515245 + 12345 & 0x7FFFFFFF
                hill = 60 * math.sin((x + 9 * band) / 11) + 50 * math.cos(y / (9 + band) + x / 40)
                edge = 50 if (x - width // 2) ** 2 + (y - height // 3) ** 2 < (height // (4 + band)) ** 2 else 0
                values.append(max(0, min(255, round(110 + hill + edge + (noise >> 20) % 9))))
    return Image.frombytes(mode, (width, height), bytes(values))


def saved(image: Image.Image, **options: object) -> bytes:
    """Return an image as a JPEG file."""
    file = io.BytesIO()
    image.save(file, "jpeg", **options)
    return file.getvalue()


def main() -> None:
    """Write all files."""
    colour, grey = picture(70, 52), picture(61, 45, "L")
    small = saved(picture(24, 16), quality=60)
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0" + small
    files = {
        "baseline_420": saved(colour, quality=80, subsampling=2),
        "baseline_422_optimised": saved(colour, quality=90, subsampling=1, optimize=True),
        "baseline_444_restarts": saved(colour, quality=70, subsampling=0, restart_marker_blocks=5),
        "progressive_420": saved(colour, quality=85, subsampling=2, progressive=True),
        "progressive_444_restarts": saved(colour, quality=50, subsampling=0, progressive=True, restart_marker_rows=1),
        "progressive_grey": saved(picture(200, 40, "L"), quality=30, progressive=True),
        "grey": saved(grey, quality=75),
        "cmyk": saved(picture(40, 30, "RGB").convert("CMYK"), quality=75),
        "rgb": saved(colour, quality=75, keep_rgb=True),
        "thumbnail": saved(colour, quality=40, exif=exif),
        "flat": saved(Image.new("RGB", (160, 120), (30, 90, 200)), quality=75),
        "tiny": saved(picture(16, 16, "L"), quality=25, optimize=True),
    }
    for name, data in files.items():
        assert len(data) < 8192, (name, len(data))
        (FILES / f"{name}.jpg").write_bytes(data)


if __name__ == "__main__":
    main()
