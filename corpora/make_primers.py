"""Makes the primers: texts that the `cm` engine has read before the first byte of a block.

    python corpora/make_primers.py FOLDER [--out nzip/models/weights/primers]
    python corpora/make_primers.py --short        # nzip/models/cm/primer.txt, made of the primers that are there

FOLDER holds one unpacked package a folder (Debian's with `dpkg-deb -x`, wheels with `unzip`; `stdlib` is Python's
own library, `samples` those of this folder); KINDS below names them, their licences and what is taken. For each kind
of text the script cuts the files into pieces of about a kilobyte and picks those that hold the most strings which
other groups of files hold too (the idea of dictionary builders: Liao, Petri, Moffat, Wirth, "Effective Construction of
Relative Lempel-Ziv Dictionaries", WWW 2016). A group is a package, or a folder or a file in a large one: what only one
project says is of no use to another.

No file of a benchmark, and no package that one was taken from, is among the sources; pieces that have the shapes of a
benchmark's files all the same (the same tool has written both) are left out, by `overlap.py`. Logs are real ones of
programs that no benchmark has (`make_logs.py`). The primers are part of the file
format: once released, a primer never changes; a better one gets a new number.

The short primer of `cmfast` is lines of the others: those that hold the most short strings that many places of their
kind, and of other kinds, hold. A cold model has to learn just these. Its numbers below were chosen on 36 KB of each
kind that were held back from the choice; no benchmark was coded for them.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import heapq
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import overlap  # beside this script
import zstandard

import nzip
from nzip.models import primers

PIECE = 1024  # bytes of a piece, about: pieces end at line ends
GRAM = 8  # bytes of the strings that are counted
HASH_BITS = 24
MOST_FILE = 150_000  # bytes of one file
BOOK_PART = 50_000
MOST_PACKAGE = 3_000_000
SHARE = 4  # a package gives at most this part
MOST_GROUPS = 16  # a string in more groups is worth no more
LIKE_BENCHMARK = 0.02  # share of a piece that has the shapes of a benchmark (overlap.py), at most
SHORT_SIZE = 16_000  # bytes of cmfast's primer, at most
SHORT_PIECE = 64  # bytes of its pieces, at least: whole lines
SHORT_GRAMS = (3, 4, 5, 6)  # bytes of the strings that are counted for it
SHORT_BITS = 22
SHORT_PLACE = 4096  # a string counts once in so many bytes
SHORT_WORTH = 0.7  # a string of n places is worth n to this power
SHORT_PROSE = 3  # prose gets so many times the share of another kind: it stands in most of them
HERE = Path(__file__).parent
OWN = ("logs", "samples")  # folders beside this script


@dataclass(frozen=True)
class Source:
    """What one package gives.

    Attributes:
        package: name of its folder.
        licence: SPDX expression.
        globs: patterns of paths below the folder.
        depth: path components that make a group.
    """

    package: str
    licence: str
    globs: tuple[str, ...]
    depth: int = 0


def _sources(globs: str, depth: int, *packages: str) -> list[Source]:
    found = []
    for words in packages:
        package, licence = words.split("=")
        found.append(Source(package, licence, tuple(globs.split()), depth))
    return found


PYTHON = (
    "aiohttp=Apache-2.0", "attrs=MIT", "black=MIT", "httpx=BSD-3-Clause", "jinja2=BSD-3-Clause",
    "networkx=BSD-3-Clause", "pydantic=MIT", "pytest=MIT", "rich=MIT", "setuptools=MIT", "sqlalchemy=MIT",
    "starlette=BSD-3-Clause", "sympy=BSD-3-Clause", "tornado=Apache-2.0", "twisted=MIT", "urllib3=MIT",
    "werkzeug=BSD-3-Clause",
)  # fmt: skip
NODE = (
    "node-acorn=MIT", "node-axios=MIT", "node-babel7=MIT", "node-body-parser=MIT", "node-chalk=MIT", "node-glob=ISC",
    "node-postcss=MIT", "node-react=MIT", "node-semver=ISC", "node-undici=MIT", "node-ws=MIT", "node-yargs=MIT",
)  # fmt: skip
PAGES = (
    "python-attr-doc=MIT", "python-babel-doc=BSD-3-Clause", "python-jinja2-doc=BSD-3-Clause", "python-six-doc=MIT",
    "python-setuptools-doc=MIT", "python-sortedcontainers-doc=Apache-2.0", "python-werkzeug-doc=BSD-3-Clause",
    "python-mpmath-doc=BSD-3-Clause", "python-markdown-doc=BSD-3-Clause", "python-ply-doc=BSD-3-Clause",
    "python-cryptography-doc=Apache-2.0", "libjansson-doc=MIT", "libcurl4-doc=curl",
)  # fmt: skip
CRATES = (
    "librust-clap-3-dev=MIT OR Apache-2.0", "librust-rand-dev=MIT OR Apache-2.0",
    "librust-regex-dev=MIT OR Apache-2.0",
)  # fmt: skip
HEADERS = (
    "libexpat1-dev=MIT", "liblz4-dev=BSD-2-Clause", "libpcre2-dev=BSD-3-Clause", "libpng-dev=libpng-2.0",
    "libsqlite3-dev=blessing", "libuv1-dev=MIT", "libzstd-dev=BSD-3-Clause", "zlib1g-dev=Zlib",
)  # fmt: skip

FILES = 99  # each file is a group
KINDS: dict[str, list[Source]] = {
    "python": [
        *_sources("*.py", 0, *PYTHON),
        Source("stdlib", "PSF-2.0", ("*.py",), 1),
    ],
    "c": [
        *_sources("*.h *.c", 0, *HEADERS, "librust-libz-sys-dev=Zlib", "librust-zstd-sys-dev=BSD-3-Clause"),
        Source("golang-github-mattn-go-sqlite3-dev", "MIT AND blessing", ("*.h", "*.c")),
        Source("sbcl-source", "BSD-2-Clause AND LicenseRef-public-domain", ("*.c", "*.h")),
        Source("libboost1.74-dev", "BSL-1.0", ("*.hpp",), 4),
    ],
    "javascript": [
        *_sources("*.js *.ts *.mjs *.cjs", 0, *NODE),
        Source("node-typescript", "Apache-2.0", ("*.d.ts",)),
    ],
    "go": [
        Source("golang-1.19-src", "BSD-3-Clause", ("*.go",), 6),
        *_sources(
            "*.go", 0, "golang-github-gorilla-mux-dev=BSD-3-Clause", "golang-gopkg-yaml.v3-dev=MIT AND Apache-2.0"
        ),
        *_sources("*.go", 0, "golang-github-urfave-cli-v2-dev=MIT"),
    ],
    "rust": [
        Source("rust-src", "MIT OR Apache-2.0", ("*.rs",), 7),
        *_sources("*.rs", 0, *CRATES),
    ],
    "html": [
        *_sources("*.html", 0, *PAGES),
        Source("nodejs-doc", "MIT", ("*.html",)),
        Source("postgresql-doc-15", "PostgreSQL", ("*.html",)),
    ],
    "xml": [
        Source("openclipart-svg", "CC0-1.0", ("*.svg",), 6),
        Source("libcommons-io-java", "Apache-2.0", ("*.pom",)),
    ],
    "json": [
        *_sources("*.json", 0, *NODE, "node-typescript=Apache-2.0", "nodejs-doc=MIT"),
        Source("botocore", "Apache-2.0", ("*/service-2.json.gz", "*/examples-1.json", "*/paginators-1.json"), 3),
        Source("google_api_python_client", "Apache-2.0", ("*/documents/*.json",), FILES),
        Source("bokeh_sampledata", "BSD-3-Clause", ("*.json", "*.geojson"), FILES),
        Source("samples", "Apache-2.0", ("*/records.json",)),
    ],
    "log": [
        Source("logs", "Apache-2.0", ("*.log",), FILES),
    ],
    "markdown": [
        *_sources("*.md *METADATA *.rst", 0, *PYTHON, *NODE, *CRATES, "rust-src=MIT OR Apache-2.0"),
        *_sources("*.md", 0, "golang-github-urfave-cli-v2-dev=MIT", "golang-gopkg-yaml.v3-dev=MIT AND Apache-2.0"),
    ],
    "config": [
        *_sources("*.toml *.yml *.yaml *.cfg *.ini *.conf", 0, *PYTHON, *NODE, *CRATES, *PAGES),
        Source("rust-src", "MIT OR Apache-2.0", ("*.toml", "*.yml"), 7),
        *_sources("*.yml *.yaml *.toml", 0, "golang-github-urfave-cli-v2-dev=MIT"),
    ],
    "prose": [
        Source("jargon-text", "LicenseRef-public-domain", ("*/jargon.txt.gz",), FILES),
        Source("postgresql-doc-15", "PostgreSQL", ("*.html",), FILES),
        *_sources(
            "*.html", FILES, "nodejs-doc=MIT", "python-cryptography-doc=Apache-2.0", "python-mpmath-doc=BSD-3-Clause"
        ),
        Source("libboost1.74-dev", "BSL-1.0", ("*.html",), FILES),
    ],
    "roff": [
        Source("tcl8.6-doc", "TCL", ("*/man/*.gz",), FILES),
        *_sources("*man/man*/*.gz", 0, *NODE, *PAGES, *HEADERS, "openssh-client=BSD-2-Clause", "nodejs-doc=MIT"),
    ],
    "lisp": [
        Source("sbcl-source", "BSD-2-Clause AND LicenseRef-public-domain", ("*.lisp",), 5),
    ],
}
SKIPPED = (
    "*/iris*", "*/auto-mpg*", "*/penguins*", "*/_vendor/*", "*/site-packages/*", "*/vendor/*", "*.min.js",
    "*/ssh_config", "*/requests/*", "*/click/*", "*/tests/data/*",
)  # fmt: skip


CARD = """# Primers

Texts that the `cm` engine has read before the first byte of a block, so that short blocks start warm. They hold
statistics of their kind of text and nothing of any benchmark: no file of one, and no package one was taken from, is
among the sources, and a test compares each primer with the benchmarks (`corpora/overlap.py`). What is alike in `html`
and `xml` is what one program writes into everybody's files: Sphinx its pages, Inkscape its licence block. Made by
`corpora/make_primers.py` from Debian 12 packages, Python wheels, Python 3.11's library, and logs of `corpora/logs`,
which programs wrote that `corpora/make_logs.py` ran (no line of them is made up; machines and people have other
names). `html`, `javascript`, `json`, `log` and `xml` are of 2026-11-30 (bokeh_sampledata 2026.1, botocore 1.44.8,
google_api_python_client 2.202.0), the others of 2026-11-21. Kept as zstd frames. Shares of text longer than the primer
are cut at its start.

The primer of `cmfast` (`nzip/models/cm/primer.txt`, 15,956 bytes, SHA-256 begins 09c27dd89e71370d) is 198 runs of
whole lines of the texts below, and so under their licences. `make_primers.py --short` chose them: those that hold the
most short strings that many places of their kind and of other kinds hold, a sixteenth of the bytes for each kind and
three for `prose`. Lengths, weights and shares were chosen on 36 KB of each kind that were held back from the choice.

| primer | bytes | SHA-256 begins | from (licence), bytes |
|---|---:|---|---|"""


def read(path: Path) -> bytes:
    """Return a file's text; pages that come compressed are unpacked."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        import gzip

        data = gzip.decompress(data)
    return data


def stripped(data: bytes) -> bytes:
    """Return the prose of an HTML page: its paragraphs without marks."""
    import html

    paragraphs = re.findall(rb"<p>(.*?)</p>", data, re.DOTALL)
    plain = [re.sub(rb"\s+", b" ", re.sub(rb"<[^>]*>", b"", part)).strip() for part in paragraphs]
    lines = []
    for part in plain:
        text = html.unescape(part.decode("utf-8", "replace"))
        line = ""
        for word in text.split(" "):
            if len(line) + len(word) > 71:
                lines.append(line)
                line = ""
            line += (" " if line else "") + word
        lines += [line, ""]
    return "\n".join(lines).encode()


def topics() -> list[tuple[str, str, bytes]]:
    """Return the topics of Python's language reference (PSF-2.0), each a group."""
    from pydoc_data import topics

    return [("stdlib", f"topics/{name}", text.encode()) for name, text in sorted(topics.topics.items())]


def collect(kind: str, folder: Path) -> list[tuple[str, str, bytes]]:
    """Return (package, group, content) of the files of a kind, in an order that depends on their contents alone."""
    found = topics() if kind == "prose" else []
    seen = set()
    for source in KINDS[kind]:
        root = HERE / source.package if source.package in OWN else folder / source.package
        paths = []
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root.parent).as_posix()
            wanted = any(fnmatch.fnmatch(name, glob) for glob in source.globs)
            if wanted and path.is_file() and not any(fnmatch.fnmatch("/" + name, glob) for glob in SKIPPED):
                paths.append(path)
        paths.sort(key=lambda path: hashlib.sha256(path.name.encode()).digest())
        total = 0
        for path in paths:
            data = read(path)
            if kind == "prose" and path.suffix == ".html":
                data = stripped(data)
            data = data[: MOST_PACKAGE if kind == "prose" else MOST_FILE]
            digest = hashlib.sha256(data).digest()
            if len(data) < 200 or digest in seen or b"\0" in data:
                continue
            seen.add(digest)
            parts = path.relative_to(root.parent).parts
            group = "/".join(parts[: 1 + source.depth]) if source.depth else source.package
            # A book in one file is many files.
            for k in range(0, len(data), BOOK_PART):
                found.append(
                    (source.package, f"{group}/{k}" if source.depth == FILES else group, data[k : k + BOOK_PART])
                )
            total += len(data)
            if total > MOST_PACKAGE:
                break
    return found


def pieces(data: bytes) -> list[bytes]:
    """Cut at line ends into pieces of about PIECE bytes."""
    out, start = [], 0
    while start < len(data):
        end = data.find(b"\n", start + PIECE)
        end = len(data) if end < 0 or end > start + 3 * PIECE else end + 1
        end = min(end, start + 3 * PIECE)
        out.append(data[start:end])
        start = end
    return out


def grams(data: bytes) -> np.ndarray:
    """Return the distinct hashes of the strings of GRAM bytes."""
    raw = np.frombuffer(data, np.uint8).astype(np.uint64)
    if len(raw) < GRAM:
        return np.zeros(0, np.uint32)
    value = np.zeros(len(raw) - GRAM + 1, np.uint64)
    for k in range(GRAM):
        value = (value << np.uint64(8)) | raw[k : len(raw) - GRAM + 1 + k]
    value *= np.uint64(0x9E3779B97F4A7C15)
    return np.unique((value >> np.uint64(64 - HASH_BITS)).astype(np.uint32))


def choose(files: list[tuple[str, str, bytes]], size: int) -> tuple[bytes, dict[str, int]]:
    """Return the chosen pieces, the best last, and how many bytes each package gave."""
    groups = sorted({group for _, group, _ in files})
    worth = np.zeros(1 << HASH_BITS, np.int32)
    for group in groups:
        own = np.zeros(1 << HASH_BITS, bool)
        for _, name, data in files:
            if name == group:
                own[grams(data)] = True
        worth += own
    worth = np.minimum(worth, MOST_GROUPS) - 1
    cut = [
        (package, piece)
        for package, _, data in files
        for piece in pieces(data)
        if len(piece) >= PIECE // 2 and overlap.shapes(overlap.windows(piece)) <= LIKE_BENCHMARK
    ]
    hashes = [grams(piece) for _, piece in cut]

    def score(k: int) -> float:
        return float(worth[hashes[k]].sum()) / (len(cut[k][1]) + 64)

    chosen: list[int] = []
    shares: dict[str, int] = {}
    rest = list(range(len(cut)))
    for most in (size // SHARE, size):  # a package's share is bounded as long as others have something to say
        heap = [(-score(k), k) for k in rest]
        heapq.heapify(heap)
        rest = []
        while heap and sum(shares.values()) < size:
            _, k = heapq.heappop(heap)
            package, piece = cut[k]
            if shares.get(package, 0) >= most:
                rest.append(k)
                continue
            now = score(k)
            if heap and now < -heap[0][0] - 1e-9:
                heapq.heappush(heap, (-now, k))
            elif now > 0:
                chosen.append(k)
                shares[package] = shares.get(package, 0) + len(piece)
                worth[hashes[k]] = 0
    return b"".join(cut[k][1] for k in reversed(chosen))[-size:], shares


def short_grams(data: bytes) -> np.ndarray:
    """Return the hashes of the distinct strings of SHORT_GRAMS bytes."""
    raw = np.frombuffer(data, np.uint8).astype(np.uint64)
    found = []
    for length in SHORT_GRAMS:
        value = np.full(max(0, len(raw) - length + 1), length, np.uint64)
        for k in range(length):
            value = (value << np.uint64(8)) | raw[k : len(value) + k]
        value *= np.uint64(0x9E3779B97F4A7C15)
        value = (value ^ (value >> np.uint64(29))) * np.uint64(0xD6E8FEB86659FD93)
        found.append(value >> np.uint64(64 - SHORT_BITS))
    return np.unique(np.concatenate(found))


def short_pieces(data: bytes) -> list[bytes]:
    """Return runs of whole lines of SHORT_PIECE bytes and some; those that are long or not ASCII are left out."""
    found, piece = [], b""
    for line in data.splitlines(keepends=True)[1:]:  # the first was cut
        piece += line
        if len(piece) >= SHORT_PIECE:
            if len(piece) <= 3 * SHORT_PIECE and piece.isascii() and b"\r" not in piece and piece.endswith(b"\n"):
                found.append(piece)
            piece = b""
    return found


def short(texts: dict[str, bytes], size: int = SHORT_SIZE) -> bytes:
    """Return the short primer, of `texts` by kind: pieces of all kinds by turns, the best last."""
    places = {}
    for kind, text in texts.items():
        places[kind] = np.zeros(1 << SHORT_BITS, np.int64)
        for start in range(0, len(text), SHORT_PLACE):
            places[kind][short_grams(text[start : start + SHORT_PLACE])] += 1
    everywhere = np.sum(list(places.values()), axis=0)
    # In integers, so that the choice is the same on every machine.
    power = np.array([round(256 * (n / 2) ** SHORT_WORTH) for n in range(int(2 * everywhere.max()) + 1)])
    unknown = np.ones(1 << SHORT_BITS, bool)
    shares = {kind: SHORT_PROSE if kind == "prose" else 1 for kind in texts}
    given = dict.fromkeys(texts, 0)
    worths, cut, heaps = {}, {}, {}
    for kind, text in texts.items():
        # A place of another kind counts half, and the string's own place does not.
        worth = power[np.maximum(2 * places[kind] - 2, 0) + everywhere - places[kind]]
        cut[kind] = [(piece, short_grams(piece)) for piece in short_pieces(text)]
        heaps[kind] = [(-int(worth[own].sum()) / (len(piece) + 8), k) for k, (piece, own) in enumerate(cut[kind])]
        heapq.heapify(heaps[kind])
        worths[kind] = worth
    chosen: list[bytes] = []
    while True:
        kind = min(texts, key=lambda name: given[name] / shares[name])
        heap = heaps[kind]
        while True:
            _, k = heapq.heappop(heap)
            piece, own = cut[kind][k]
            now = int(worths[kind][own[unknown[own]]].sum()) / (len(piece) + 8)
            if not heap or now >= -heap[0][0]:
                break
            heapq.heappush(heap, (-now, k))
        if sum(given.values()) + len(piece) > size:
            return b"".join(reversed(chosen))
        chosen.append(piece)
        given[kind] += len(piece)
        unknown[own] = False


def licences(kind: str) -> dict[str, str]:
    """Return the licence of each package of a kind."""
    found = {source.package: source.licence for source in KINDS[kind]}
    return found | ({"stdlib": "PSF-2.0"} if kind == "prose" else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--short", action="store_true", help="make the primer of cmfast of the others")
    parser.add_argument("--size", type=int, default=1 << 17)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--out", type=Path, default=Path(nzip.__file__).parent / "models" / "weights" / "primers")
    args = parser.parse_args()
    if args.short:
        text = short({primer.kind: primers.text(number) for number, primer in primers.PRIMERS.items()})
        (Path(nzip.__file__).parent / "models" / "cm" / "primer.txt").write_bytes(text)
        print(f"{len(text):,} bytes, {hashlib.sha256(text).hexdigest()[:16]}", file=sys.stderr)
        return
    if args.folder is None:
        parser.error("FOLDER is missing")
    args.out.mkdir(parents=True, exist_ok=True)
    card = args.out / "MODEL_CARD.md"
    rows = {}  # kinds that are not made now keep their line
    if card.exists():
        rows = {line.split(" | ")[0][2:]: line for line in card.read_text().splitlines() if line.startswith("| ")}
    for kind in args.kinds.split(","):
        files = collect(kind, args.folder)
        text, shares = choose(files, args.size)
        (args.out / f"{kind}.zst").write_bytes(zstandard.ZstdCompressor(level=22).compress(text))
        found = sum(len(data) for _, _, data in files)
        print(f"{kind}: {len(text):,} of {found:,} bytes, {len(files)} files", file=sys.stderr, flush=True)
        known = licences(kind)
        given = "; ".join(f"{name} ({known[name]}) {share:,}" for name, share in sorted(shares.items()))
        rows[kind] = f"| {kind} | {len(text):,} | {hashlib.sha256(text).hexdigest()[:16]} | {given} |"
    card.write_text("\n".join([CARD, *(rows[kind] for kind in KINDS if kind in rows)]) + "\n")


if __name__ == "__main__":
    main()
