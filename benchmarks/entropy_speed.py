"""Speed and size of the entropy coders, beside those of constriction on the same symbols.

Usage: python benchmarks/entropy_speed.py [--symbols 1048576] [--repeats 9] [--markdown]
           [--out benchmarks/results/entropy_speed.json]

Each row encodes and decodes one array of symbols, and compares what comes back. Times are those of the Python call,
the best of all passes, after one that compiles; the passes of all coders of one array take turns, so that a slow
moment of the machine falls on all. Tables and models are made before the clock starts, as for many arrays with one
table, except where the coder wants its probabilities with each call. The ideal code length is that of the
probabilities which the symbols were drawn from; for the adaptive coder it is that of the frequencies it had at each
symbol. Overhead is what the output is above that, in percent; with it come the rounding of the probabilities and the
words of the final states. `--markdown` prints the table as it stands in docs/reference/BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import constriction
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from nzip import __version__, entropy

SEED = 2024
LANES = (1, 4, 8)
# Alphabet, log2 of the sum of the frequencies, what the symbols are like.
ALPHABETS = ((2, 16, "P(1) = 0.1"), (256, 16, "Zipf"), (50_000, 24, "Zipf"))

Array = npt.NDArray[Any]
models, queue, stack = constriction.stream.model, constriction.stream.queue, constriction.stream.stack


@dataclass
class Coder:
    """One way to code one array: `encode` returns bytes or words, `decode` takes them and returns the symbols."""

    library: str
    name: str
    encode: Callable[[], Any]
    decode: Callable[[Any], Array]


@dataclass
class Case:
    """One array of symbols, the bits it should take (one number, or one for each coder), and the coders to compare."""

    data: str
    symbols: Array
    ideal_bits: list[float]
    coders: list[Coder]


def range_peer(symbols: Array, model: Any, *parameters: Array) -> Coder:
    """Return constriction's range coder: one model for all symbols, or a family with parameters for each."""

    def encode() -> Array:
        coder = queue.RangeEncoder()
        coder.encode(symbols, model, *parameters)
        return coder.get_compressed()

    what = parameters or (symbols.size,)
    return Coder("constriction", "range coder", encode, lambda words: queue.RangeDecoder(words).decode(model, *what))


def ans_peer(symbols: Array, model: Any) -> Coder:
    """Return constriction's rANS."""

    def encode() -> Array:
        coder = stack.AnsCoder()
        coder.encode_reverse(symbols, model)
        return coder.get_compressed()

    return Coder("constriction", "rANS", encode, lambda words: stack.AnsCoder(words).decode(model, symbols.size))


def binary_case(data: str, probs: Array, rng: np.random.Generator) -> Case:
    """Return the case of bits with P(1) = probs / 2^16 (integers, one a bit)."""
    shares = probs / 65536
    bits = rng.random(probs.size) < shares
    symbols = bits.astype(np.int32)
    ideal = float(-np.log2(np.where(bits, shares, 1 - shares)).sum())
    small, table = bits.astype(np.uint8), probs.astype(np.uint16)
    ours = Coder(
        "nzip",
        "binary coder",
        lambda: entropy.encode_bits(small, table),
        lambda coded: entropy.decode_bits(coded, table),
    )
    if (probs == probs[0]).all():
        peer = range_peer(symbols, models.Bernoulli(float(shares[0]), perfect=False))
    else:
        peer = range_peer(symbols, models.Bernoulli(perfect=False), shares)
    return Case(data, symbols, [ideal] * 2, [ours, peer])


def rans(symbols: Array, table: entropy.RansTable, lanes: int) -> Coder:
    """Return our rANS with so many lanes."""
    return Coder(
        "nzip",
        f"rANS, {lanes} lane{'s' if lanes > 1 else ''}",
        lambda: entropy.encode_reverse(symbols, table, lanes=lanes),
        lambda words: entropy.decode(words, table, symbols.size, lanes=lanes),
    )


def adaptive_bits(symbols: Array, alphabet: int) -> float:
    """Return the ideal code length under the frequencies that `encode_adaptive` has at each symbol."""
    model = entropy.AdaptiveModel(alphabet)
    shares = np.empty(symbols.size)
    for i, symbol in enumerate(symbols.tolist()):
        shares[i] = model.interval(symbol)[1] / model.total
        model.learn(symbol)
    return float(-np.log2(shares).sum())


def symbol_case(alphabet: int, precision: int, data: str, count: int, rng: np.random.Generator) -> Case:
    """Return the case of one alphabet for all coders of many symbols."""
    weights = np.array([0.9, 0.1]) if alphabet == 2 else 1 / np.arange(1, alphabet + 1)
    shares = weights / weights.sum()
    symbols = rng.choice(alphabet, count, p=shares).astype(np.int32)
    ideal = float(-np.log2(shares[symbols]).sum())
    freqs = entropy.quantise_floats(shares, precision)
    table = entropy.RansTable(freqs, precision)
    model = models.Categorical(shares, perfect=False)
    static = Coder(
        "nzip",
        "range coder, one table",
        lambda: entropy.encode_symbols(symbols, freqs),
        lambda coded: entropy.decode_symbols(coded, freqs, count),
    )
    coders = [*(rans(symbols, table, lanes) for lanes in LANES), ans_peer(symbols, model)]
    coders += [static, range_peer(symbols, model)]
    ideals = [ideal] * len(coders)
    if alphabet == 256:
        ideals.append(adaptive_bits(symbols, alphabet))
        coders.append(
            Coder(
                "nzip",
                "range coder, adaptive",
                lambda: entropy.encode_adaptive(symbols, alphabet),
                lambda coded: entropy.decode_adaptive(coded, alphabet, count),
            )
        )
    return Case(f"{alphabet:,} symbols, {data}", symbols, ideals, coders)


def cases(count: int) -> list[Case]:
    """Return all arrays, `count` symbols each, the same on every run."""
    rng = np.random.default_rng(SEED)
    found = [
        binary_case("bits, P(1) = 0.02", np.full(count, round(0.02 * 65536)), rng),
        binary_case("bits, P(1) varied", rng.integers(1, 65536, count), rng),
    ]
    found += [symbol_case(*alphabet, count, rng) for alphabet in ALPHABETS]
    return found


def size_of(coded: Any) -> int:
    """Return the bytes of an output: of bytes, or of 32-bit words."""
    return len(coded) if isinstance(coded, bytes) else int(coded.nbytes)


def measure(case: Case, repeats: int) -> list[dict[str, Any]]:
    """Return a row for each coder; the first pass compiles and checks, and is not timed."""
    outputs = [coder.encode() for coder in case.coders]
    for coder, coded in zip(case.coders, outputs, strict=True):
        if not np.array_equal(coder.decode(coded), case.symbols):
            raise SystemExit(f"{coder.library} {coder.name} did not give the symbols back ({case.data})")
    best = np.full((len(case.coders), 2), np.inf)
    for _ in range(repeats):
        for k, coder in enumerate(case.coders):
            start = time.perf_counter()
            coder.encode()
            middle = time.perf_counter()
            coder.decode(outputs[k])
            best[k] = np.minimum(best[k], (middle - start, time.perf_counter() - middle))
    nanoseconds = best / case.symbols.size * 1e9
    return [
        {
            "data": case.data,
            "library": coder.library,
            "coder": coder.name,
            "encode_ns": round(float(nanoseconds[k, 0]), 2),
            "decode_ns": round(float(nanoseconds[k, 1]), 2),
            "bytes": size_of(outputs[k]),
            "ideal_bytes": round(case.ideal_bits[k] / 8, 1),
            "overhead_percent": round(100 * (size_of(outputs[k]) / (case.ideal_bits[k] / 8) - 1), 4),
        }
        for k, coder in enumerate(case.coders)
    ]


def cpu_model() -> str:
    """Return the processor's name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def cells(row: dict[str, Any]) -> list[str]:
    """Return a row's cells, behind the data."""
    times = [f"{row['encode_ns']:.1f}", f"{row['decode_ns']:.1f}"]
    return [row["library"], row["coder"], *times, f"{row['overhead_percent']:.4f}"]


HEADINGS = ("data", "library", "coder", "encode ns", "decode ns", "overhead %")


def markdown(rows: list[dict[str, Any]]) -> str:
    """Return the table for the documents."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|---|---|---|---:|---:|---:|"]
    lines += ["| " + " | ".join([row["data"], *cells(row)]) + " |" for row in rows]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--symbols", type=int, default=1 << 20)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "entropy_speed.json")
    parser.add_argument("--markdown", action="store_true", help="print the table for docs/reference/BENCHMARKS.md")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for case in cases(args.symbols):
        rows += measure(case, args.repeats)
    if args.markdown:
        print(markdown(rows))
    else:
        table = Table()
        for k, heading in enumerate(HEADINGS):
            table.add_column(heading, justify="right" if k > 2 else "left")
        for before, row in zip([None, *rows], rows, strict=False):
            if before and before["data"] != row["data"]:
                table.add_section()
            table.add_row(row["data"], *cells(row))
        Console().print(table)
    result = {
        "schema": 1,
        "symbols": args.symbols,
        "repeats": args.repeats,
        "seed": SEED,
        "threads": 1,
        "constriction": {"perfect": False, "lazy": False, "models": "Categorical, Bernoulli"},
        "versions": {
            "nzip": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("constriction", "numba", "llvmlite", "numpy")},
        },
        "machine": {"arch": platform.machine(), "system": platform.system(), "cpu": cpu_model()},
        "rows": rows,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
