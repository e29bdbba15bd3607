"""What each part of the `cmfast` engine is worth: sizes of a corpus without it.

    python benchmarks/cmfast_ablation.py CORPUS_FOLDER... [--out benchmarks/results/cmfast_ablation.json]

A variant is the kernel's source with lines replaced, compiled anew; payloads of variants are measured, never kept.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from pathlib import Path

from nzip.formats.content.detection import detect
from nzip.models.cm import engine, fast, memory

SOURCE = Path(fast.__file__).read_text(encoding="utf-8")
OVERHEAD = 25  # bytes of container a file


def _context(i: int) -> list[tuple[str, str]]:
    return [(f"i32(ready[u64(cell{i})])", "i32(0)")]


VARIANTS: dict[str, list[tuple[str, str]]] = {
    "nothing": [],
    "context: last byte": _context(0),
    "context: last 2 bytes": _context(1),
    "context: last 3 bytes (binary: 4)": _context(2),
    "context: last 5 bytes (binary: c3 c2)": _context(3),
    "context: word and last byte (binary: record)": _context(4),
    "match model": [("if n < least:", "if n < 99999:")],
    "weight rows by buckets seen": [("row = i64(seen[s]) * 32 + bit", "row = bit + i64(0)")],
    "weight rows by match": [("row += 8 + ((g >> 4) << 3)", "row += 0")],
    "sse": [("one[s] = max(min((p + 3 * q + 2) >> 2,", "one[s] = max(min(p,")],
    "learning of the maps": [
        (
            "ready[u64(cell)] = stretch[u64(maps[u64(cell)] >> u32(20))]\n                    if",
            "pass\n                    if",
        )
    ],
}


def _load(name: str, source: str, folder: Path) -> None:
    path = folder / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    memory.FAST.code = module.code


def measure(files: list[Path], **more: int) -> tuple[int, float]:
    """Return bytes with the container, and nanoseconds a bit of encoding."""
    coder = engine.CmFastEngine()
    coder.prepare()
    total, spent, bits = 0, 0.0, 0
    for path in files:
        block = path.read_bytes()
        params = {**coder.fit({}, len(block)), **more}
        content = detect(block)
        begin = time.process_time()
        total += min(len(block), len(coder.encode(block, params, content))) + OVERHEAD
        spent += time.process_time() - begin
        bits += 8 * len(block)
    return total, spent / bits * 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    files = sorted(path for folder in arguments.folders for path in folder.iterdir() if path.is_file())
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for number, (about, changes) in enumerate(VARIANTS.items()):
            source = SOURCE
            for old, new in changes:
                assert old in source, f"{about}: {old!r} is not in the kernel"
                source = source.replace(old, new)
            _load(f"variant{number}", source, Path(temporary))
            rows.append((about, *measure(files)))
        _load("variant_whole", SOURCE, Path(temporary))
        rows.append(("second stream", *measure(files, streams=1)))
        engine.short_primer = lambda: b""
        rows.append(("primer", *measure(files)))
    base = rows[0][1]
    for about, size, speed in rows:
        print(f"| {about} | {size:,} | {size - base:+,} | {speed:.1f} |", flush=True)
    if arguments.out:
        result = [{"without": about, "bytes": size, "ns_per_bit": round(speed, 1)} for about, size, speed in rows]
        arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
