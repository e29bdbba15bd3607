"""What each part of the engine `tensor` is worth: tensors of files without it, in bytes and in time.

    python benchmarks/tensors_ablation.py PATH... [--preset 2] [--like OLD] [--only TEXT] [--out FILE]

A variant is one of the choices of the encoder left out, or the source of a kernel with lines replaced, compiled anew;
the tensors of a file are one block, without what lies between them. With `--like` they stand beside those of the same
place in an older file. Results go to `benchmarks/results/tensors_ablation.json`, one entry for each preset, and each
older file. Times are the processor's, of encoding, of one pass, and only comparable within a run.
"""

from __future__ import annotations

import importlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from ablation import changed, chosen, compiled, files_of, options

from nzip.formats.content.containers.search import budget_of
from nzip.formats.content.containers.tensors import files
from nzip.formats.content.kinds import Content
from nzip.models.base import Beside
from nzip.models.tensor import differences, engine, mixed, quick
from nzip.models.tensor.pieces import Piece

Change = tuple[str, str]
Item = tuple[bytes, Content, list[int]]  # tensors, what they are, where they lie in their file


class Variant(NamedTuple):
    """What is left out: lines of a kernel's source, what pieces say, and others of the encoder's."""

    changes: tuple[Change, ...] = ()
    pieces: Callable[[Piece], Piece] = lambda piece: piece
    others: tuple[tuple[Any, str, Any], ...] = ()


def _context(number: int, instead: str = "0") -> Variant:
    line = "places[u64(k)] = i64(bases[u64(k)]) + places[u64(k)] * 256\n            if beside:"
    new = f"places[u64(k)] = i64(bases[u64(k)]) + (places[u64(k)] * 256 if k != {number} else {instead})"
    return Variant(((line, new + "\n            if beside:"),))


def _one(old: str, new: str) -> Variant:
    return Variant(((old, new),))


def _plain(piece: Piece) -> Piece:
    return piece if piece.form & engine.BESIDE else piece._replace(form=piece.form & ~engine.ROTATED)


QUICK = {
    "nothing": Variant(),
    "exponents apart from signs": Variant(pieces=_plain),
    "a digit with the exponent": Variant(pieces=lambda piece: piece._replace(exponent=0)),
    "tables of tensors before": _one("min(made, i64(NEAR))", "i64(0)"),
    "tables that small tensors share": Variant(others=((quick, "SMALL", 0),)),
}
QUICK_BESIDE = {
    "nothing": Variant(),
    "groups by the older values' sizes": Variant(
        others=((differences.Base, "groups", lambda self, _: [len(self.values)]),)
    ),
    "the order of floats": Variant(
        pieces=lambda piece: piece._replace(form=piece.form & ~(engine.ROTATED | engine.SHIFTED))
    ),
    "judgement of what helps": Variant(others=((differences, "worth", lambda *_: True),)),
    "older values": Variant(others=((differences, "worth", lambda *_: False),)),
}
MIXED = {
    "nothing": Variant(),
    "rows": Variant(pieces=lambda piece: piece._replace(row=0)),
    "exponent: size of the tensor": _context(0),
    "exponent: no context": _context(1, "(256 << 8)"),
    "exponent: west": _context(2),
    "exponent: north": _context(3),
    "exponent: expected": _context(4),
    "exponent: near values": _context(5),
    "exponent: row and column": _context(6),
    "exponent: west and north, from expected": _context(7),
    "exponent: column": _context(8),
    "exponent: expected and near values": _context(9),
    "exponent: last stage": _one(
        "chance = max(min((p + fine) >> 1, i64(65535)), i64(1))",
        "chance = max(min(p, i64(65535)), i64(1)) + fine * 0",
    ),
    "digits: exponent": _one("places[1] = first\n", "places[1] = 0\n"),
    "digits: distance from expected": _one(
        "distance = max(min(apart >> 6, i64(31)), i64(-32)) + 32", "distance = i64(32)"
    ),
    "digits: west": _one("places[3] = left\n", "places[3] = 0\n"),
    "digits: north": _one("places[4] = above\n", "places[4] = 0\n"),
    "digits: column": _one("places[7] = (column & 255) if row < number else i64(0)", "places[7] = i64(0)"),
    "low digits: exponent": _one("places[1] = kind * 256 + first", "places[1] = i64(0)"),
    "low digits: all before": _one("places[2] = i64(spread >> u64(52))", "places[2] = i64(spread >> u64(63)) * 0"),
}  # fmt: skip
MIXED_BESIDE = {
    "nothing": Variant(),
    "rows": MIXED["rows"],
    "levels of older values": Variant(((
        "level = i64(levels[u64(i)])", "level = i64(levels[u64(i)]) * 0"), (
        "north += i64(levels[u64(i - row)])", "north += i64(0)"), (
        "northeast += i64(levels[u64(i - row + (1 if column + 1 < row else 0))])", "northeast += i64(0)"))),
    "digits: key of the older value": _one("places[N0 + 1] = i64(keys[u64(i)])", "places[N0 + 1] = i64(0)"),
    "digits: expected, west and north": _one(
        "places[N0 + 2] = min(expected >> 6, i64(63)) * 64 + min(w, i64(7)) * 8 + min(north, i64(7))",
        "places[N0 + 2] = i64(0)",
    ),
    "digits: expected and west": _one(
        "places[N0 + 3] = min(expected >> 5, i64(127)) * 16 + min(w, i64(15))", "places[N0 + 3] = i64(0)"
    ),
    **{name: variant for name, variant in MIXED.items() if name.startswith(("exponent: expected", "exponent: near"))},
    "the order of floats": QUICK_BESIDE["the order of floats"],
    "older values": QUICK_BESIDE["older values"],
}  # fmt: skip
TABLES = {(1, False): QUICK, (1, True): QUICK_BESIDE, (2, False): MIXED, (2, True): MIXED_BESIDE}
KERNELS = {1: ("choice", quick, "choose"), 2: ("mixed_kernel", mixed, "code")}  # module, whose caller, and function


def source_of(preset: int) -> str:
    """Return the source of the kernel whose lines are replaced."""
    module = importlib.import_module(f"nzip.models.tensor.{KERNELS[preset][0]}")
    return Path(str(module.__file__)).read_text(encoding="utf-8")


def tensors_of(data: bytes) -> Item | None:
    """Return the tensors of a file, joined, and what they are; None where it has none."""
    found = [each for each in files.find(data, 0, budget_of(len(data))) if each.segment is not None]
    if not found:
        return None
    joined = b"".join(data[each.start : each.stop] for each in found)
    segments = Content(tuple(each.segment for each in found if each.segment is not None))
    return joined, segments, [each.start for each in found]


def measure(variant: Variant, preset: int, items: Sequence[Item], old: bytes, kernel: Any) -> tuple[int, float]:
    """Return bytes, and nanoseconds a byte of encoding."""
    plain, coder = engine.pieces_of, engine.TensorEngine()
    caller, function = KERNELS[preset][1:]

    def pieces(segments: Any, bases: Any = ()) -> list[Piece]:
        return [variant.pieces(piece) for piece in plain(segments, bases)]

    def encoded(item: Item) -> bytes:
        block, content, starts = item
        if not old:
            return coder.encode(block, {"preset": preset}, content)
        return coder.encode_beside(block, {"preset": preset}, content, Beside(file=old, bases=starts))

    total, spent, size = 0, 0.0, 0
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(engine, "pieces_of", pieces))
        stack.enter_context(mock.patch.object(caller, function, kernel))
        for place, name, value in variant.others:
            stack.enter_context(mock.patch.object(place, name, value))
        encoded(items[0])  # compiles
        for item in items:
            begin = time.process_time()
            total += len(encoded(item))
            spent += time.process_time() - begin
            size += len(item[0])
    return total, spent / size * 1e9


def measured(preset: int, items: Sequence[Item], old: bytes, only: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table."""
    table, source = TABLES[preset, bool(old)], source_of(preset)
    with tempfile.TemporaryDirectory() as folder:
        for name, variant in chosen(table.items(), only):
            kernel = getattr(KERNELS[preset][1], KERNELS[preset][2])
            if variant.changes:
                title = f"tensor{preset}{len(old) > 0:d}_{list(table).index(name)}"
                module = compiled(title, changed(source, variant.changes), Path(folder))
                kernel = getattr(module, KERNELS[preset][2])
            size, ns = measure(variant, preset, items, old, kernel)
            yield {"without": name, "bytes": size, "ns_per_byte": round(ns, 1)}


def main(words: Sequence[str] | None = None) -> None:
    """Measure what is asked for."""
    parser = options(__doc__, "tensors_ablation")
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--preset", type=int, default=2, choices=(1, 2))
    parser.add_argument("--like", type=Path, metavar="OLD", help="a file that the tensors stand beside")
    args = parser.parse_args(words)
    paths = files_of(args.paths)
    items = [item for path in paths if (item := tensors_of(path.read_bytes())) is not None]
    rows = list[dict[str, Any]]()
    for row in measured(args.preset, items, args.like.read_bytes() if args.like else b"", args.only):
        rows.append(row)
        more = row["bytes"] - rows[0]["bytes"]
        print(f"| {row['without']} | {row['bytes']:,} | {more:+,} | {row['ns_per_byte']} |", flush=True)
    found = json.loads(args.out.read_text("utf-8")) if args.out.exists() else {}
    found["engine"] = engine.TensorEngine.name
    name = f"preset {args.preset}" + (f" beside {args.like.name}" if args.like else "")
    found[name] = {"files": [path.name for path in paths], "raw": sum(len(item[0]) for item in items), "rows": rows}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
