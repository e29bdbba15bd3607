"""What numbers and contexts of the engine `bilevel` are worth on pages made here, and how they were chosen.

    python benchmarks/bilevel.py [FILE...] [--seed 1] [--tune | --ablate] [--beside] [--out FILE]

The pages are drawn with the fonts of matplotlib from docstrings of Python's own library, plots, grids of heights and
noise, then made black and white as scanners, fax machines and printers do. `--seed 1` are those that the numbers of
nzip/models/bilevel/layout.py were chosen on, by `--tune`; other seeds give pages with other words, fonts and noise. A
FILE is a picture of two colours that Pillow reads; it is measured beside them and takes no part in choosing. A page
counts as the logarithm of its bytes, so that large ones weigh no more than small ones.

`--tune` changes one number after another as long as all pages together gain, `--ablate` leaves out one context after
another. Each change is compiled anew, in a folder that is thrown away.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import itertools
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from ablation import changed, compiled
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from nzip.entropy import jit
from nzip.formats.content.kinds import BITMAP, Content, Segment
from nzip.models.bilevel import engine, layout
from nzip.params import Params
from nzip.registry import ENGINES
from nzip.settings import resolve

SOURCE = Path(engine.__file__).with_name("kernel.py").read_text(encoding="utf-8")
COUNT = itertools.count()
FONTS = Path(get_data_path()) / "fonts" / "ttf"
SAMPLES = Path(get_data_path()) / "sample_data"
BOOKS = ("argparse", "asyncio", "calendar", "cmd", "csv", "decimal", "difflib", "doctest", "fractions", "heapq",
         "inspect", "logging", "optparse", "pickle", "random", "re", "shlex", "statistics", "subprocess", "tarfile",
         "textwrap", "threading", "timeit", "uuid", "zipfile")  # fmt: skip
# What is tried for each number, from its value on, in both directions.
STEPS: dict[str, Callable[[int, int], int]] = {
    "LIMIT": lambda value, way: value + 15 * way,
    "RATE": lambda value, way: value + 15 * way,
    "FIRST": lambda value, way: value + 750 * way,
    "BIAS": lambda value, way: value * 2 if way > 0 else value // 2,
    "SURE": lambda value, way: value + 8 * way,
    "FINAL_LIMIT": lambda value, way: value * 2 + 1 if way > 0 else value // 2,
}
Page = tuple[str, Any]  # its name, and its pixels: bool (height, width), black is true


def words(rng: np.random.Generator) -> str:
    """Return prose: the docstrings of a few modules, from some place on."""
    text = ""
    for name in rng.choice(BOOKS, 8, replace=False):
        module = importlib.import_module(str(name))
        parts = [inspect.getdoc(each) or "" for each in (module, *filter(inspect.isroutine, vars(module).values()))]
        text += " ".join(" ".join(parts).split()) + "\n"
    return text


def lettered(rng: np.random.Generator, font: str, size: int, width: int, height: int, leading: float = 1.3) -> Any:
    """Return a page of text, grey (uint8), white around."""
    page = Image.new("L", (width, height), 255)
    draw, face = ImageDraw.Draw(page), ImageFont.truetype(str(FONTS / font), size, layout_engine=ImageFont.Layout.BASIC)
    text, line, y, edge = words(rng).split(" "), "", height // 14, width // 12
    for piece in text:
        end, word = "\n" in piece, piece.replace("\n", " ").strip()
        longer = f"{line} {word}".strip()
        if end or face.getlength(longer) > width - 2 * edge:
            draw.text((edge, y), line, 0, face)
            y += int(size * leading * (2 if end else 1))
            longer = word
        line = longer
        if y > height - height // 12:
            break
    return np.asarray(page)


def scanned(rng: np.random.Generator, page: Any, skew: float, blur: float, noise: float) -> Any:
    """Return a grey page as a scanner sees it: a little turned, unsharp, with noise; then black and white."""
    picture = Image.fromarray(page).rotate(skew, Image.Resampling.BICUBIC, fillcolor=255)
    grey = np.asarray(picture.filter(ImageFilter.GaussianBlur(blur)), np.float64)
    return grey + rng.normal(0, noise, grey.shape) < 140


def heights(rng: np.random.Generator, size: int) -> Any:
    """Return a picture of shades, 0 to 1: measured heights in light, or clouds."""
    with np.load(SAMPLES / "jacksboro_fault_dem.npz") as found:
        ground = found["elevation"].astype(np.float64)
    slope = np.gradient(ground)[int(rng.integers(2))]
    shade = np.clip((slope - np.percentile(slope, 1)) / np.ptp(np.percentile(slope, (1, 99))), 0, 1)
    coarse = [rng.random((size >> k, size >> k)) for k in (3, 5, 6)]
    clouds = np.average([enlarged(each, size, size) for each in coarse], axis=0, weights=(0.2, 0.3, 0.5))
    top = enlarged(shade, size, size // 2)
    return np.clip(np.vstack([top, clouds[: size - size // 2]]), 0, 1)


def enlarged(shades: Any, width: int, height: int) -> Any:
    return np.asarray(Image.fromarray(shades.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC))


def matrix(shades: Any, dot: bool) -> Any:
    """Return shades as dots of a raster: of an 8x8 matrix that spreads them, or growing ones, turned by 45 degrees."""
    y, x = np.indices(shades.shape)
    if dot:
        angle = math.pi / 4
        u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
        return shades < 0.5 + 0.25 * (np.cos(u * math.pi / 4) + np.cos(v * math.pi / 4))
    order = np.zeros((1, 1))
    for _ in range(3):
        order = np.block([[4 * order, 4 * order + 2], [4 * order + 3, 4 * order + 1]])
    return shades < (order[y % 8, x % 8] + 0.5) / 64


def diffused(shades: Any) -> Any:
    """Return shades with each pixel's error handed on, as Pillow does it (Floyd and Steinberg)."""
    return ~np.asarray(Image.fromarray((shades * 255).astype(np.uint8)).convert("1"))


def plotted(rng: np.random.Generator, dots: int) -> Any:
    """Return a page of curves, level lines and axes, grey."""
    from matplotlib.figure import Figure

    figure = Figure((7, 7), dpi=dots)
    for k in range(4):
        axes = figure.add_subplot(2, 2, k + 1)
        x = np.linspace(0, 6, 200)
        if k < 2:
            for _ in range(4):
                axes.plot(x, np.sin(x * rng.uniform(0.5, 4)) * rng.uniform(0.2, 2), "k", lw=rng.uniform(0.5, 2))
            axes.set_title(" ".join(words(rng).split()[5:9]), fontsize=8)
            axes.grid(k == 1)
        else:
            shape = np.add.outer(np.sin(x * rng.uniform(0.5, 2)), np.cos(x * rng.uniform(0.5, 2)))
            axes.contour(x, x, shape, 12, colors="k", linewidths=0.7)
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]).convert("L"))


def form(rng: np.random.Generator, width: int, height: int) -> Any:
    """Return a table with lines and numbers, grey."""
    page = Image.new("L", (width, height), 255)
    draw, face = ImageDraw.Draw(page), ImageFont.truetype(str(FONTS / "DejaVuSansMono.ttf"), 22)
    for y in range(60, height - 60, 44):
        draw.line((50, y, width - 50, y), 0, 2)
        for x in range(50, width - 60, 180):
            draw.text((x + 12, y + 8), f"{rng.integers(10 ** int(rng.integers(2, 8))):,}", 0, face)
    for x in range(50, width - 49, 180):
        draw.line((x, 60, x, 60 + (height - 121) // 44 * 44), 0, 3)
    return np.asarray(page)


def pages(seed: int) -> Iterator[Page]:
    """Yield pages, each of its kind."""
    rng = np.random.default_rng(seed)
    odd = seed % 2 > 0
    serif, sans = ("DejaVuSerif.ttf", "DejaVuSans.ttf") if odd else ("STIXGeneral.ttf", "cmss10.ttf")
    yield "text, smooth edges", lettered(rng, serif, 34, 1240, 1000) < 128
    yield "text, small", lettered(rng, "cmr10.ttf" if odd else "DejaVuSansMono.ttf", 18, 1240, 800) < 128
    yield "text, scanned", scanned(rng, lettered(rng, sans, 30, 1240, 1000), rng.uniform(-1, 1), 0.8, 18)
    yield "text, scanned badly", scanned(rng, lettered(rng, serif, 26, 1240, 800), rng.uniform(-2, 2), 1.1, 42)
    fax = scanned(rng, lettered(rng, sans, 40, 1728, 1600), rng.uniform(-0.5, 0.5), 1.0, 15)
    yield "fax, coarse rows", fax[::2]
    yield "plots", plotted(rng, 150) < 128
    yield "plots, scanned", scanned(rng, plotted(rng, 140), rng.uniform(-1, 1), 0.7, 25)
    yield "table", scanned(rng, form(rng, 1280, 1000), 0 if odd else 0.4, 0.5, 12)
    yield "errors handed on", diffused(heights(rng, 512))
    yield "raster of 8x8", matrix(heights(rng, 640), dot=False)
    yield "raster of dots", matrix(heights(rng, 900), dot=True)
    news = lettered(rng, serif, 24, 1200, 1000, 1.15).copy()
    half = scanned(rng, news, rng.uniform(-0.5, 0.5), 0.7, 20)
    half[150:750, 300:900] = matrix(heights(rng, 600), dot=True)
    yield "newspaper", half


def packed(pixels: Any) -> tuple[bytes, int]:
    """Return rows of bits, and the bytes of a row."""
    rows = np.packbits(pixels, axis=1)
    return rows.tobytes(), rows.shape[1]


def coded(
    block: bytes, row: int, back: bool = False, name: str = "bilevel", params: Params = MappingProxyType({})
) -> tuple[int, float]:
    """Return the bytes of a page, and the seconds it takes."""
    own = ENGINES.by_name(name)
    full = own.fit(params, len(block))
    content = Content((Segment("bitmap", len(block), BITMAP, width=1, channels=1, row=row, confidence=95),))
    start = time.process_time()
    payload = own.encode(block, full, content)
    seconds = time.process_time() - start
    if back and own.decode(payload, len(block), full) != block:
        raise AssertionError("a page did not come back")
    return len(payload), seconds


@contextmanager
def variant(changes: Sequence[tuple[str, str]] = (), **numbers: int) -> Iterator[None]:
    """Code with other numbers, or with texts of the loop's source replaced, while this lasts."""
    kept = {name: getattr(layout, name) for name in numbers}
    code, name = engine.code, f"bilevel_variant{next(COUNT)}"
    with tempfile.TemporaryDirectory() as folder, jit.only(Path(folder)):
        for number, value in numbers.items():
            setattr(layout, number, value)
        engine.code = compiled(name, changed(SOURCE, changes), Path(folder)).code
        try:
            yield
        finally:
            engine.code = code
            for number, value in kept.items():
                setattr(layout, number, value)


def blind(context: int) -> list[tuple[str, str]]:
    """Return the change with which a context sees nothing."""
    mark = "            base = i64(0)\n"
    return [(mark, f"            places[{context}] = 0\n{mark}")]


def total(blocks: list[tuple[bytes, int]]) -> float:
    """Return the mean of the logarithms (base 2, thousandths) of all pages' bytes."""
    return sum(math.log2(coded(*block)[0]) for block in blocks) / len(blocks) * 1000


def tune(blocks: list[tuple[bytes, int]]) -> dict[str, int]:
    """Return the numbers with which pages take least."""
    best = {name: getattr(layout, name) for name in STEPS}
    least = total(blocks)
    print(f"{least:.2f}: {best}", flush=True)
    moved = True
    while moved:
        moved = False
        for name, step in STEPS.items():
            for way in (1, -1):
                while (value := step(best[name], way)) > 0:
                    with variant(**{**best, name: value}):
                        found = total(blocks)
                    print(f"{found:.2f}: {name} = {value}", flush=True)
                    if found >= least - 0.2:
                        break
                    least, best[name], moved = found, value, True
                else:
                    continue
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--ablate", action="store_true")
    parser.add_argument("--beside", action="store_true", help="code pages as levels 6 and 9 do without the engine, too")
    parser.add_argument("--show", type=Path, help="a folder for the pages, as PNG files")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "bilevel.json")
    args = parser.parse_args()
    made = [(name, *packed(pixels)) for name, pixels in pages(args.seed)]
    blocks = [(block, row) for _, block, row in made]
    for name, pixels in pages(args.seed) if args.show else ():
        Image.fromarray(~pixels).save(args.show / f"{args.seed} {name}.png")
    if args.tune:
        print(tune(blocks))
        return
    for path in args.files:
        with Image.open(path) as picture:
            made.append((path.name, *packed(~np.asarray(picture.convert("1")))))
    rows = []
    for name, block, row in made:
        size, seconds = coded(block, row, back=True)
        rows.append({"page": name, "bytes": len(block), "bilevel": size, "seconds": round(seconds, 3)})
        line = f"| {name} | {len(block):,} | {size:,} | {seconds:.2f} |"
        for level in (6, 9) if args.beside else ():
            other, params = resolve(level).engines[-1]
            size, seconds = coded(block, row, name=other, params=params)
            rows[-1] |= {f"level {level}": size, f"seconds of level {level}": round(seconds, 3)}
            line += f" {size:,} | {seconds:.2f} |"
        print(line, flush=True)
    print(f"mean of the logarithms of the pages made here: {total(blocks):.2f}")
    result: dict[str, Any] = {"seed": args.seed, "pages": rows}
    if args.ablate:
        result["without"] = {}
        for context in range(len(layout.CONTEXTS)):
            with variant(blind(context)):
                result["without"][context] = [coded(*block)[0] for block in blocks]
            more = sum(math.log2(b / a["bilevel"]) for a, b in zip(rows, result["without"][context], strict=False))
            print(f"without context {context}: {more / len(blocks) * 1000:+.1f} thousandths of a binary digit")
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
