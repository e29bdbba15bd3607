"""Equal-Info Windows beside the paper's figures: ratios by window, variant, reset policy; speeds.

Usage: python benchmarks/equal_info.py FILE… [--out benchmarks/results/equal_info.json]

Ratios are bits of text over bits of tokens, over whole files, one column a file. The paper (Lester et al., TMLR 2024)
has another byte model (M1), a Transformer trained on C4, and other text: compare the shape, not the level. Every result
is decoded and compared. Prints the table of docs/reference/EQUALINFO.md.
"""

from __future__ import annotations

import argparse
import gzip
import json
import platform
import time
from pathlib import Path
from typing import Any

import numba
import numpy as np

import nzip
from nzip.entropy import encode_intervals
from nzip.models.static import shipped
from nzip.models.static.model import StaticModel

# what, the paper's ratio, model, window, variant, reset
ROWS: list[tuple[str, float | None, str, int, str, str]] = [
    ("AC, no windows", 5.49, "text", 0, "", ""),
    ("AC, no windows, unigram", 1.73, "unigram", 0, "", ""),
    ("b=16", 2.66, "text", 16, "reserved", "window"),
    ("b=24", 3.15, "text", 24, "reserved", "window"),
    ("b=32", 3.49, "text", 32, "reserved", "window"),
    ("b=64", 4.16, "text", 64, "reserved", "window"),
    ("b=128", 4.61, "text", 128, "reserved", "window"),
    ("b=16, lookahead", 2.66, "text", 16, "lookahead", "window"),
    ("b=16, delay", 2.20, "text", 16, "delay", "window"),
    ("b=16, reset every second window", 3.40, "text", 16, "reserved", "second"),
    ("b=16, reset never", 5.33, "text", 16, "reserved", "never"),
    ("b=16, unigram", None, "unigram", 16, "reserved", "window"),
    ("b=128, lookahead", None, "text", 128, "lookahead", "window"),
    ("b=128, delay", None, "text", 128, "delay", "window"),
    ("b=1024", None, "text", 1024, "reserved", "window"),
    ("gzip -9", 2.23, "", 0, "", ""),
    ("cm (level 9), no windows, learns from the file", None, "cm", 0, "", ""),
]


def trained(name: str) -> StaticModel:
    """Return one of the models that have tables."""
    model = shipped.model(name)
    assert isinstance(model, StaticModel)
    return model


def measure(data: bytes, model: str, bits: int, variant: str, reset: str) -> dict[str, Any]:
    """Return bits of output, and what else there is to say, of one row for one file."""
    if not model:
        return {"bits": 8 * len(gzip.compress(data, 9))}
    if model == "cm":
        return {"bits": 8 * len(nzip.compress(data, 9))}
    if not bits:
        return {"bits": 8 * len(encode_intervals(*trained(model).intervals(data)))}
    tokenizer = nzip.EqualInfoTokenizer(model, bits, 16, variant=variant, reset=reset)
    tokenizer.decode(tokenizer.encode(data[:5000]))  # compiles
    began = time.perf_counter()
    tokens = tokenizer.encode(data)
    middle = time.perf_counter()
    if tokenizer.decode(tokens) != data:
        raise SystemExit("the decoded text is another one")
    ended = time.perf_counter()
    return {
        "bits": tokens.windows * bits,
        "windows": tokens.windows,
        "distinct_windows": len(np.unique(tokens.ids)) if bits == 16 else None,
        "corrections": len(tokens.corrections),
        "corrections_bytes": len(tokenizer.pack(tokens)) - 2 * len(tokens.ids),
        "encode_mb_s": round(len(data) / (middle - began) / 1e6, 2),
        "decode_mb_s": round(len(data) / (ended - middle) / 1e6, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "equal_info.json")
    args = parser.parse_args()
    texts = {path.name: path.read_bytes() for path in args.files}
    began = time.perf_counter()
    text_model = trained("text")
    training = time.perf_counter() - began
    print("| | paper | " + " | ".join(texts) + " |")
    print("|---|---:|" + "---:|" * len(texts))
    rows = []
    for name, paper, model, window, variant, reset in ROWS:
        settings = [model, window, variant, reset]
        row: dict[str, Any] = {"what": name, "paper": paper, "settings": settings, "files": {}}
        cells = []
        for file, data in texts.items():
            found = measure(data, model, window, variant, reset)
            found["ratio"] = round(8 * len(data) / found["bits"], 4)
            row["files"][file] = found
            cells.append(f"{found['ratio']:.2f}")
        rows.append(row)
        print(f"| {name} | {'' if paper is None else f'{paper:.2f}'} | " + " | ".join(cells) + " |", flush=True)
    result = {
        "nzip": nzip.__version__,
        "numba": numba.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "model": {
            "name": text_model.name,
            "identity": text_model.identity.hex(),
            "memory_bytes": text_model.nbytes,
            "contexts": len(text_model.tables.shares),
            "package_bytes": shipped.model_bytes(),
            "training_s": round(training, 1),
        },
        "bytes": {name: len(data) for name, data in texts.items()},
        "rows": rows,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
