"""Makes the folder of photographs that the latent codecs for pictures learned from.

    apt-get download lomiri-wallpapers-16.04 plasma-workspace-wallpapers mate-backgrounds tuxpaint-stamps-default
    for p in *.deb; do dpkg-deb -x "$p" unpacked; done
    python corpora/make_photos.py unpacked photos

Photographs are scaled down by 2 or 3, which takes the traces of JPEG away, and written as PNG. Photographs of things
that were cut out (the stamps) are laid over blurred photographs, twelve to a sheet: texture for the codecs that draw.
`SOURCES.json` says where each is from and under which licence, as the packages' copyright files do; model cards quote
it. No picture of any benchmark is among them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

LARGE = 2_500_000  # pixels above which a picture is scaled by 3, not by 2
PLASMA = (
    "Autumn", "BytheWater", "ColdRipple", "ColorfulCups", "EveningGlow", "FallenLeaf", "Grey", "OneStandsOut", "Path",
)  # fmt: skip
BY = ("Picture_0B", "Picture_1A", "Wine", "aitzgorri", "friends", "life", "picosdeeuropa", "sunset", "umang")
KINDS_LEFT_OUT = ("cartoon", "/symbols/", "roadsigns", "flags", "mirror", "flip")
TILE, ACROSS, DOWN = 300, 4, 3  # of a sheet


def photographs(folder: Path) -> list[tuple[str, Path, str, str]]:
    """Return name, file, source and licence of each."""
    share = folder / "usr" / "share"
    found = []
    for path in sorted((share / "backgrounds").glob("*.jpg")):
        licence = "CC BY 4.0" if path.name.startswith(BY) else "CC BY-SA 4.0"
        licence = "CC0" if path.name.startswith("seeding") else licence
        found.append((path.stem, path, "lomiri-wallpapers-16.04", licence))
    for name in PLASMA:
        path = share / "wallpapers" / name / "contents" / "images" / "2560x1600.jpg"
        found.append((name, path, "plasma-workspace-wallpapers", "GPL-2+ as packaged"))
    mate = share / "backgrounds" / "mate"
    for path in sorted((mate / "nature").glob("*.jpg")):
        found.append((path.stem, path, "mate-backgrounds", "GPL-2+"))
    path = mate / "abstract" / "Elephants_5640x3172.jpg"
    found.append((path.stem, path, "mate-backgrounds", "CC BY-SA 4.0"))
    return found


def stamps(folder: Path) -> list[Image.Image]:
    """Return the cut-out pictures that are photographs: large, and of many colours."""
    found = []
    root = folder / "usr" / "share" / "tuxpaint" / "stamps"
    for path in sorted(root.rglob("*.png")):
        if any(word in str(path) for word in KINDS_LEFT_OUT):
            continue
        picture = Image.open(path).convert("RGBA")
        pixels = np.asarray(picture)
        inside = pixels[pixels[:, :, 3] > 128][:, :3]
        colours = (inside // 4).astype(np.int64) @ np.array([4096, 64, 1])
        if min(picture.size) >= 100 and len(inside) >= 9000 and len(np.unique(colours)) > 1800:
            found.append(picture)
    return found


def sheets(cut: list[Image.Image], behind: list[Image.Image]) -> list[Image.Image]:
    """Return sheets on which every cut-out picture stands twice."""
    random = np.random.default_rng(1)
    order = 2 * list(range(len(cut)))
    random.shuffle(order)
    out = []
    for start in range(0, len(order), ACROSS * DOWN):
        size = (ACROSS * TILE, DOWN * TILE)
        sheet = behind[int(random.integers(len(behind)))].resize(size)
        sheet = sheet.filter(ImageFilter.GaussianBlur(float(random.uniform(2, 8))))
        for place, number in enumerate(order[start : start + ACROSS * DOWN]):
            picture = cut[number]
            scale = min(int(random.integers(200, 420)) / max(picture.size), 0.9)
            small = picture.resize([max(1, int(n * scale)) for n in picture.size], Image.Resampling.LANCZOS)
            x, y = (
                at * TILE + (TILE - n) // 2 + int(random.integers(-40, 41))
                for at, n in zip((place % ACROSS, place // ACROSS), small.size, strict=True)
            )
            sheet.paste(small, (x, y), small)
        out.append(sheet)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the packages were unpacked")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    Image.MAX_IMAGE_PIXELS = None
    arguments.out.mkdir(parents=True, exist_ok=True)
    sources = {}
    behind = []
    for name, path, source, licence in photographs(arguments.folder):
        picture = Image.open(path).convert("RGB")
        scale = 3 if picture.width * picture.height > LARGE else 2
        picture = picture.resize((picture.width // scale, picture.height // scale), Image.Resampling.LANCZOS)
        picture.save(arguments.out / f"{name}.png")
        behind.append(picture)
        sources[f"{name}.png"] = {"source": f"{source}, 1/{scale} size", "licence": licence}
    for number, sheet in enumerate(sheets(stamps(arguments.folder), behind)):
        sheet.save(arguments.out / f"stamps_{number:02d}.png")
        sources[f"stamps_{number:02d}.png"] = {
            "source": "tuxpaint-stamps-default, cut-out photographs over blurred photographs of this list",
            "licence": "GPL-2",
        }
    (arguments.out / "SOURCES.json").write_text(json.dumps(sources, indent=1) + "\n", encoding="utf-8")
    print(f"{len(sources)} pictures")


if __name__ == "__main__":
    main()
