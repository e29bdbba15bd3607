"""How much of a text is in the benchmarks, by shared shingles; and the sketch of the benchmarks that this needs.

    python corpora/overlap.py sketch FOLDER        # writes corpora/benchmarks.sketch from the benchmarks in FOLDER
    python corpora/overlap.py compare FILE...      # says for each file which share of it the benchmarks have
    python corpora/overlap.py record FILE...       # writes corpora/training.sketch, of texts that are not in the tree

What is compared are *folded* texts: small letters, every number (and hexadecimal one) as 0, white space as one blank,
and rulers cut short. So lines that imitate the shapes and names of a benchmark are found, whatever their values, and
not copies alone. Shingles (Broder, "On the Resemblance and Containment of Documents", 1997) of little but numbers and
marks do not count; the others are compared in three ways:

* `5 words`, `32 bytes`: which share of a text's distinct shingles of five words, or of 32 bytes, benchmarks have.
* `shapes`: which share of a text's bytes lies in shingles of 32 bytes that one benchmark file repeats, REPEATED times
  or oftener: the lines that a program writes again and again. These are what an imitation is made of.

Of the hashes of shingles the sketch keeps those that are a multiple of a number: a sample that is the same for both
sides, so the share of a text's sampled shingles that the sketch holds estimates its share of all, and a shape of some
more than 32 bytes is hardly missed. No text can be read from it. Benchmarks are named by the hashes of `manifest.json`;
what FOLDER holds besides is part of the sketch as well, and `benchmarks.tsv` lists it as kept back. Packages that such
files come from stand in `reserved.txt`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import zstandard

HERE = Path(__file__).parent
SKETCH = HERE / "benchmarks.sketch"
LISTED = HERE / "benchmarks.tsv"
TRAINING = HERE / "training.sketch"
WORDS, BYTES, SHAPES = "5 words", "32 bytes", "shapes"
KEPT = {WORDS: 48, BYTES: 320, SHAPES: 5}  # one hash in so many
REPEATED = 6
LETTERS = 14  # of 32 bytes, at least
NAMES = 3  # of five words, at least: not numbers, and longer than one letter
MOST_BINARY = 0.05  # share of bytes that are no text, in a file that is text
_WIDTH = 32
_ODD = np.uint64(0x9E3779B97F4A7C15)

_RUNS = (
    (re.compile(rb"\b(?=[a-f]*[0-9])[0-9a-f]{6,}\b"), b"0"),
    (re.compile(rb"[0-9]+"), b"0"),
    (re.compile(rb"\s+"), b" "),
    (re.compile(rb"([^\w\s])\1{2,}"), rb"\1\1"),
)


def folded(data: bytes) -> bytes:
    """Return a text without its values: see above."""
    data = data.lower()
    for pattern, by in _RUNS:
        data = pattern.sub(by, data)
    return data


def _mixed(value: np.ndarray) -> np.ndarray:
    """Return hashes (uint64) whose every bit depends on all bits of `value`; 32 bits of each are kept."""
    for shift in (32, 29, 32):
        value = (value ^ (value >> np.uint64(shift))) * _ODD
    return value >> np.uint64(32)


@lru_cache(maxsize=1)
def _byte_values() -> np.ndarray:
    return np.frombuffer(
        b"".join(hashlib.blake2b(bytes([k]), digest_size=8).digest() for k in range(256)), "<u8"
    ).copy()


def windows(data: bytes) -> np.ndarray:
    """Return the hash (uint64, 1 to 2^32 - 1) of each 32 bytes of a folded text; 0 for those that do not count."""
    raw = np.frombuffer(folded(data), np.uint8)
    if len(raw) < _WIDTH:
        return np.zeros(0, np.uint64)
    values = _byte_values()[raw]
    found = np.zeros(len(raw) - _WIDTH + 1, np.uint64)
    for k in range(_WIDTH):
        found = found * _ODD + values[k : k + len(found)]
    letters = np.concatenate([[0], np.cumsum((raw >= 97) & (raw <= 122))])
    return np.where(letters[_WIDTH:] - letters[:-_WIDTH] >= LETTERS, np.maximum(_mixed(found), 1), 0).astype(np.uint64)


def five_words(data: bytes) -> np.ndarray:
    """Return the distinct hashes (uint64 below 2^32) of five words in a row."""
    words = re.findall(rb"[a-z_\x80-\xff]+|0", folded(data))
    if len(words) < 5:
        return np.zeros(0, np.uint64)
    known = {word: int.from_bytes(hashlib.blake2b(word, digest_size=8).digest(), "little") for word in set(words)}
    values = np.array([known[word] for word in words], np.uint64)
    names = np.array([len(word) > 1 for word in words])
    count = len(words) - 4
    five, named = np.zeros(count, np.uint64), np.zeros(count, np.int64)
    for k in range(5):
        five = five * _ODD + values[k : k + count]
        named += names[k : k + count]
    return np.unique(_mixed(five[named >= NAMES]))


def sampled(hashes: np.ndarray, kind: str) -> np.ndarray:
    return hashes[hashes % np.uint64(KEPT[kind]) == 0]


def is_text(data: bytes) -> bool:
    """Whether shingles of a file mean anything."""
    raw = np.frombuffer(data[: 1 << 20], np.uint8)
    odd = np.count_nonzero((raw < 32) & ~np.isin(raw, (9, 10, 12, 13))) + np.count_nonzero(raw == 127)
    return bool(len(raw) > 0 and odd <= MOST_BINARY * len(raw) and 4 * np.count_nonzero(raw >= 128) < 3 * len(raw))


def pack(hashes: np.ndarray, kind: str) -> bytes:
    """Return sorted hashes as differences of their quotients, LEB128."""
    out = bytearray()
    before = 0
    for value in (hashes // np.uint64(KEPT[kind])).tolist():
        gap, before = value - before, value
        while gap >= 128:
            out.append(gap & 127 | 128)
            gap >>= 7
        out.append(gap)
    return bytes(out)


def unpack(data: bytes, kind: str) -> np.ndarray:
    found, value, gap, shift = [], 0, 0, 0
    for byte in data:
        gap |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            value += gap
            found.append(value)
            gap = shift = 0
    return np.array(found, np.uint64) * np.uint64(KEPT[kind])


def make(folder: Path) -> None:
    """Write the sketch and the list of what is in it."""
    manifest = json.loads((HERE / "manifest.json").read_text())["corpora"]
    names = {file["sha256"]: f"{name}/{file['path']}" for name, corpus in manifest.items() for file in corpus["files"]}
    rows: dict[str, str] = {}
    found: dict[str, list[np.ndarray]] = {kind: [] for kind in KEPT}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "MANIFEST.tsv"):
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest in rows:
            continue
        name = names.get(digest, "")
        what = name or f"kept back: {path.relative_to(folder).as_posix()}"
        text = is_text(data) and path.suffix not in (".fasta", ".fa")
        rows[digest] = f"{digest}\t{len(data)}\t{'text' if text else 'other'}\t{what}\n"
        if text:
            distinct, counts = np.unique(windows(data), return_counts=True)
            counts, distinct = counts[distinct > 0], distinct[distinct > 0]
            found[WORDS].append(sampled(five_words(data), WORDS))
            found[BYTES].append(sampled(distinct, BYTES))
            found[SHAPES].append(sampled(distinct[counts >= REPEATED], SHAPES))
    parts = [pack(np.unique(np.concatenate(found[kind])), kind) for kind in KEPT]
    head = json.dumps({"kept": KEPT, "sizes": list(map(len, parts))}).encode() + b"\n"
    SKETCH.write_bytes(zstandard.ZstdCompressor(level=19).compress(head + b"".join(parts)))
    lines = sorted(rows.values(), key=lambda row: row.split("\t")[3])
    LISTED.write_text("".join(["sha256\tbytes\tkind\twhat\n", *lines]))
    print(f"{len(rows)} files, {SKETCH.stat().st_size:,} bytes")


@lru_cache(maxsize=1)
def sketch() -> dict[str, np.ndarray]:
    """Return the sampled hashes of the benchmarks' shingles, by kind."""
    head, _, body = zstandard.ZstdDecompressor().decompress(SKETCH.read_bytes()).partition(b"\n")
    known = json.loads(head)
    if known["kept"] != KEPT:
        raise ValueError(f"{SKETCH.name} was made with other settings; make it again")
    found = {}
    for kind, size in zip(KEPT, known["sizes"], strict=True):
        found[kind], body = unpack(body[:size], kind), body[size:]
    return found


def _known(hashes: np.ndarray, kind: str) -> np.ndarray:
    """Return which hashes the sketch holds."""
    known = sketch()[kind]
    return known[np.minimum(np.searchsorted(known, hashes), len(known) - 1)] == hashes


def shapes(every: np.ndarray) -> float:
    """Return which share of a text, whose `windows` are given, lies in shapes of the benchmarks."""
    if not len(every):
        return 0.0
    edges = np.zeros(len(every) + _WIDTH, np.int64)
    starts = np.flatnonzero(_known(every, SHAPES) & (every > 0))
    np.add.at(edges, starts, 1)
    np.add.at(edges, starts + _WIDTH, -1)
    return float((np.cumsum(edges)[:-1] > 0).mean())


def shares(data: bytes) -> dict[str, float]:
    """Return which share of a text the benchmarks have, by each of the three measures; 0 where it is too short."""
    every = windows(data)
    own = {WORDS: sampled(five_words(data), WORDS), BYTES: sampled(np.unique(every[every > 0]), BYTES)}
    return contained(own) | {SHAPES: shapes(every)}


def contained(own: dict[str, np.ndarray]) -> dict[str, float]:
    """Return which share of sampled hashes, by kind, the sketch holds."""
    return {kind: float(_known(hashes, kind).mean()) if len(hashes) else 0.0 for kind, hashes in own.items()}


def record(texts: dict[str, bytes]) -> None:
    """Write the sampled shingles of texts that something was trained on and that are not in the tree."""
    parts, names = [], {}
    for name, data in texts.items():
        every = windows(data)
        own = {WORDS: sampled(five_words(data), WORDS), BYTES: sampled(np.unique(every[every > 0]), BYTES)}
        packed = [pack(hashes, kind) for kind, hashes in own.items()]
        parts += packed
        names[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "sizes": list(map(len, packed))}
    head = json.dumps({"kept": KEPT, "texts": names}).encode() + b"\n"
    TRAINING.write_bytes(zstandard.ZstdCompressor(level=19).compress(head + b"".join(parts)))


def recorded() -> dict[str, dict[str, np.ndarray]]:
    """Return, by name of a training text, its sampled hashes by kind."""
    head, _, body = zstandard.ZstdDecompressor().decompress(TRAINING.read_bytes()).partition(b"\n")
    known = json.loads(head)
    if known["kept"] != KEPT:
        raise ValueError(f"{TRAINING.name} was made with other settings; make it again")
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, about in known["texts"].items():
        found[name] = {}
        for kind, size in zip((WORDS, BYTES), about["sizes"], strict=True):
            found[name][kind], body = unpack(body[:size], kind), body[size:]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("sketch", "compare", "record"))
    parser.add_argument("paths", type=Path, nargs="+")
    args = parser.parse_args()
    if args.action == "sketch":
        make(args.paths[0])
        return
    if args.action == "record":
        record({path.stem: path.read_bytes() for path in sorted(args.paths)})
        return
    for path in args.paths:
        data = path.read_bytes()
        if path.suffix == ".zst":
            data = zstandard.ZstdDecompressor().decompress(data, max_output_size=1 << 28)
        parts = [f"{kind} {100 * share:5.2f} %" for kind, share in shares(data).items()]
        print(f"{path}: {', '.join(parts)}", file=sys.stdout, flush=True)


if __name__ == "__main__":
    main()
