"""Learns the corrections of `nzip/models/weights/lm` for an installed language model, from free text.

    python corpora/tune_lm.py FOLDER [--model smollm2-135m] [--out CORRECTIONS.zst] [--steps 480] [--rank 8]

FOLDER holds a checkout of each repository in BOOKS, in a folder of its name (owner+name), and Debian 12's packages
`postgresql-doc-15` and `rust-doc`, each unpacked with `dpkg-deb -x` into a folder of its name. The books are in the
public domain; Standard Ebooks gives its editions as CC0. The other text is that of the primers `prose` and `markdown`.
No file of a benchmark is read, and no author that one is by. Needs torch.

The model, its int8 rows taken back to floats, runs with bfloat16 products. Each step reads one piece of 1,024 tokens,
seen once; the pieces of a text are spread over it evenly, and mixed. One piece in three has the line ends of DOS; books
have straight quotes or their own, wrapped lines or paragraphs in one. Adam; the rates rise for 20 steps and fall as
half a cosine. Three pieces, of two books that are not learned from and of a manual, say how it goes.

What it gives is one file, and beside it as JSON how it went (the package's: benchmarks/results/lm_tuning.json). The
package's copy was made once and decides bits, so making it again (another torch, another processor) gives another
model, which is no model that a file names.
"""

from __future__ import annotations

import argparse
import html
import json
import math
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zstandard

from nzip.models.lm import loading
from nzip.models.lm.cache import known_models, records
from nzip.models.lm.network import float_model
from nzip.models.lm.readers import opening

# Name, straight quotes, wrapped lines.
EBOOKS = {
    "standardebooks+arthur-conan-doyle_the-adventures-of-sherlock-holmes": (True, True),
    "standardebooks+bram-stoker_dracula": (True, False),
    "standardebooks+charles-darwin_the-origin-of-species": (False, True),
    "standardebooks+e-nesbit_five-children-and-it": (True, True),
    "standardebooks+h-g-wells_the-time-machine": (True, False),
    "standardebooks+john-stuart-mill_on-liberty": (False, True),
    "standardebooks+kenneth-grahame_the-wind-in-the-willows": (True, True),
    "standardebooks+l-frank-baum_the-wonderful-wizard-of-oz": (True, False),
    "standardebooks+mark-twain_the-adventures-of-tom-sawyer": (False, True),
    "standardebooks+mary-shelley_frankenstein": (True, True),
    "standardebooks+p-g-wodehouse_love-among-the-chickens": (True, False),
    "standardebooks+robert-louis-stevenson_treasure-island": (False, True),
}
GUTENBERG = (
    "GITenberg+Katrine--A-Novel_14263",
    "GITenberg+The-Log-School-House-on-the-Columbia_14881",
    "GITenberg+The-Little-Colonel-s-Hero_15122",
    "GITenberg+Jack-Sheppard--A-Romance_16215",
    "GITenberg+Critical-and-Historical-Essays--13-Lectures-delivered-at-Columbia-University_16351",
    "GITenberg+How-to-Listen-to-Music-7th-ed.Hints-and-Suggestions-to-Untaught-Lovers-of-the-Art_17474",
    "GITenberg+American-AdventuresA-Second-Trip-Abroad-at-home-_18304",
    "GITenberg+News-from-Nowhere--Or-An-Epoch-of-Rest--13-Being-Some-Chapters-from-a-Utopian-Romance_3261",
)
HELD = ("g_14263", "b_the-time-machine")  # not learned from
PRIMERS = Path(__file__).parents[1] / "nzip" / "models" / "weights" / "primers"
TOKENS = 1024  # of a piece
MOST_BOOK, MANUAL, PRIMER = 700_000, 1.6, 300_000  # a text's weight: its bytes up to so many, times; bytes
RATE, FACTOR_RATE = 1.2e-3, 2e-3
PLAIN = {0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0x2014: "--", 0x2013: "-", 0x2026: "...", 0xA0: " "}
PLAIN |= {0x2060: "", 0x200A: "", 0xFB02: "fl", 0xD7: "x"}
APART = re.compile(r"colophon|uncopyright|imprint|titlepage|halftitle|endnotes|loi|dedication")


# ---- text ------------------------------------------------------------------------------------------------------------


def wrapped(text: str, width: int = 71) -> str:
    """Return a paragraph in lines."""
    out: list[str] = []
    line = ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            out.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return "\n".join([*out, line])


def chapter(page: str, straight: bool, wrap: bool) -> str:
    """Return the paragraphs of a chapter."""
    out = []
    page = re.sub(r"(?s)<head>.*?</head>", "", page)
    for found in re.finditer(r"(?s)<(p|h2|h3|h4)\b[^>]*>(.*?)</\1>", page):
        text = found.group(2)
        for tag, mark in (("i", "_"), ("em", "*")):
            text = re.sub(rf"</?{tag}\b[^>]*>", mark if straight else "", text)
        text = html.unescape(re.sub(r"<br\s*/?>", " ", text))
        text = " ".join(re.sub(r"<[^>]+>", "", text).split())
        if straight:
            text = text.translate(PLAIN)
        text = text.replace("\u2060", "").replace("\u200a", " ")
        if text:
            out.append(wrapped(text) if wrap else text)
    return "\n\n".join(out) + "\n\n"


def ebook(folder: Path, straight: bool, wrap: bool) -> str:
    """Return a book of Standard Ebooks."""
    pages = [file for file in (folder / "src/epub/text").glob("*.xhtml") if not APART.search(file.name)]

    def place(file: Path) -> list[Any]:
        name = f"src/epub/text/{file.name}"
        return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]

    return "".join(chapter(file.read_text("utf-8"), straight, wrap) for file in sorted(pages, key=place))


def gutenberg(folder: Path) -> str:
    """Return a book of Project Gutenberg, without what is said about it."""
    text = (folder / f"{folder.name.rsplit('_', 1)[1]}.txt").read_bytes().decode("latin-1").replace("\r\n", "\n")
    begin = re.search(r"\*\*\* ?START OF.*?\n", text)
    end = re.search(r"\*\*\* ?END OF|End of (the )?Project Gutenberg", text)
    return text[begin.end() if begin else 0 : end.start() if end else None]


def manual(pages: list[Path]) -> str:
    """Return the long paragraphs of pages."""
    out = []
    for page in pages:
        text = re.sub(r"(?s)<pre.*?</pre>|<(script|style|head).*?</\1>", " ", page.read_text("utf-8"))
        for paragraph in re.findall(r"(?s)<p>(.*?)</p>", text):
            words = " ".join(html.unescape(re.sub(r"<[^>]*>", "", paragraph)).split())
            if len(words) > 120:
                out.append(words)
    return "\n\n".join(out)


def texts(folder: Path) -> dict[str, bytes]:
    """Return all texts but the primers, with the line ends of Unix, in the order of their names."""
    out = {f"b_{name.split('_', 1)[1]}": ebook(folder / name, *how) for name, how in EBOOKS.items()}
    out |= {f"g_{name.rsplit('_', 1)[1]}": gutenberg(folder / name) for name in GUTENBERG}
    pages = sorted((folder / "postgresql-doc-15/usr/share/doc/postgresql-doc-15/html").glob("*.html"))
    out["m_postgres"] = manual(pages[1::3])
    out["m_rustbook"] = manual(sorted((folder / "rust-doc/usr/share/doc/rust-doc/html/book").glob("ch*.html")))
    return {name: out[name].encode() for name in sorted(out)}


def primer(name: str) -> bytes:
    """Return a primer's text."""
    return zstandard.ZstdDecompressor().decompressobj().decompress((PRIMERS / f"{name}.zst").read_bytes())


def pieces(found: dict[str, bytes], steps: int) -> list[bytes]:
    """Return the text of each step."""
    chosen = [
        (text, min(MANUAL * len(text) if name[0] == "m" else len(text), MOST_BOOK))
        for name, text in found.items()
        if name not in HELD
    ]
    chosen += [(primer("markdown"), PRIMER), (primer("prose"), PRIMER)]
    whole = sum(weight for _, weight in chosen)
    source = random.Random(7)
    out = []
    for number, (text, weight) in enumerate(chosen):
        count = max(1, round(steps * weight / whole))
        for k in range(count):
            at = max(0, int((len(text) - 7 * TOKENS) * (k + source.random()) / count))
            part = text[at : at + 7 * TOKENS]
            part = part[part.find(b" ") + 1 :]
            out.append(part.replace(b"\n", b"\r\n") if (number + k) % 3 == 0 else part)
    source.shuffle(out)
    return out[:steps]


# ---- learning --------------------------------------------------------------------------------------------------------


def learn(network: float_model.FloatModel, parts: Iterator[Any], steps: int, start: int, check: Any) -> None:
    """Go through the pieces."""
    thin = [matrix for both in network.thin.values() for matrix in both]
    groups = [(thin, RATE), (list(network.factors.values()), FACTOR_RATE)]
    optimiser = torch.optim.Adam([{"params": of, "full": rate} for of, rate in groups if of], betas=(0.9, 0.98))
    for step, ids in enumerate(parts):
        for group in optimiser.param_groups:
            group["lr"] = group["full"] * min(1, (step + 1) / 20) * (0.52 + 0.5 * math.cos(math.pi * step / steps))
        cost = network.costs(torch.cat([torch.tensor([start]), ids[:-1]]), ids).mean()
        optimiser.zero_grad()
        cost.backward()
        optimiser.step()
        print(f"{step + 1} {cost.item():.4f}", flush=True)
        if (step + 1) % 40 == 0 or step + 1 == steps:
            check(step + 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default=known_models.DEFAULT_MODEL)
    parser.add_argument("--out", type=Path, default=Path("corrections.zst"))
    parser.add_argument("--steps", type=int, default=480)
    parser.add_argument("--rank", type=int, default=8)
    args = parser.parse_args()
    torch.manual_seed(1)
    language = loading.by_name(args.model)
    source = opening.open_source(records.find(args.model).path)
    made = loading.quantised(source, corrected=False)
    print("weights:", made.model_id())
    network = float_model.FloatModel(
        made.config, float_model.dequantised(made), rank=args.rank, dtype=torch.bfloat16
    )

    def tokens(text: bytes) -> Any:
        ids = language.encode(text)
        return torch.from_numpy(ids[ids < made.config.vocab][:TOKENS].astype(np.int64))

    found = texts(args.folder)
    held = [(name, tokens(found[name][60_000:])) for name in HELD[::-1]]
    held.append(("m_postgres", tokens(found["m_postgres"][700_000:])))
    began = time.perf_counter()
    rows: list[dict[str, Any]] = []

    def check(step: int) -> None:
        with torch.no_grad():
            costs = {
                name: network.costs(torch.cat([torch.tensor([language.start]), ids[:-1]]), ids).mean().item()
                for name, ids in held
            }
        seconds = round(time.perf_counter() - began)
        print(f"after {step}:", *(f"{name} {cost:.4f}" for name, cost in costs.items()), f"{seconds} s", flush=True)
        rows.append({"step": step, "nats_a_token": {n: round(v, 4) for n, v in costs.items()}, "seconds": seconds})
        report = {"model": args.model, "torch": torch.__version__, "rows": rows}
        args.out.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")
        args.out.write_bytes(network.packed())

    check(0)
    learn(network, (tokens(part) for part in pieces(found, args.steps)), args.steps, language.start, check)


if __name__ == "__main__":
    main()
