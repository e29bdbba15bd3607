"""Adds golden files of format version 1 to tests/golden/v1: what nzip wrote then, it reads for ever.

    python tests/make_golden.py                    add what is missing
    python tests/make_golden.py --no-cm            leave out the models (while they still change)
    python tests/make_golden.py --no-transforms    leave out the transforms (while they still change)
    python tests/make_golden.py --no-latents       leave out lossy pictures and sounds (likewise)
    python tests/make_golden.py --anew             before the first release: also write again what bytes have changed of

Engines and transforms follow from their tables of cases: a new one's row is all that it takes. A file that exists is
never written again: a golden file that no longer decodes is a bug in nzip. Before the first
release bytes may change; `--anew` then writes files that are made differently now. MANIFEST has one line a file:
SHA-256 of the decoded content, SHA-256 of the file, its name. The content of a lossy file is its latents, which every
machine decodes alike; the signal made of them is floating point, and no part of this.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import random
import struct
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import nzip
from nzip.codec.files.trees.tree import Tree
from nzip.formats.container.entries import encode_chunk, encode_table

WORDS = """
the a of to and in that is was he for it with as his on be at by had not are but from or have an they which one would
all their there been if more when will who what so no said its about into than them can only other new some could time
these two may then do first any my now such like our over man me even most made after also
"""
FOLDER = Path(__file__).parent / "golden" / "v1"


def prose(size: int) -> bytes:
    """Return words in a random but fixed order."""
    dice = random.Random(1)
    out = ""
    while len(out) < size:
        out += dice.choice(WORDS.split()) + dice.choice((" ", " ", " ", " ", " ", ", ", ".\n"))
    return out.encode()[:size]


def records(count: int) -> bytes:
    """Return binary records of 16 bytes: counters, small values, a slow wave."""
    dice = random.Random(2)
    return b"".join(
        struct.pack(
            "<IHhIf", number, dice.randrange(50), (number * number) % 700 - 350, 0xDEAD0000 + number % 7, number / 8
        )
        for number in range(count)
    )


def code(size: int) -> bytes:
    """Return bytes with calls in the manner of x86 code."""
    dice = random.Random(3)
    targets = [dice.randrange(1 << 16) for _ in range(40)]
    out = bytearray()
    while len(out) < size:
        out += dice.choice((b"\x55\x48\x89\xe5", b"\x48\x83\xec\x10", b"\x8b\x45\xfc", b"\xc9\xc3", b"\x90"))
        if dice.random() < 0.4:
            out += b"\xe8" + ((dice.choice(targets) - len(out) - 5) & 0xFFFFFFFF).to_bytes(4, "little")
    return bytes(out[:size])


def planes(width: int, height: int) -> bytes:
    """Return a small smooth picture, 3 bytes a pixel, as a PPM file."""
    rows = bytearray(f"P6 {width} {height} 255\n".encode())
    for y in range(height):
        for x in range(width):
            rows += bytes(((x + y) & 255, (2 * x) & 255, (3 * y + x) & 255))
    return bytes(rows)


def stripe(rows: int) -> bytes:
    """Return a bitmap of rows of 24 bytes, without a header: a slanted stripe on a white ground."""
    return b"".join((0x7FF << (120 - 2 * k % 90)).to_bytes(24, "big") for k in range(rows))


def waves(frames: int) -> bytes:
    """Return a sound of two channels of 16 bits, as a WAV file."""
    dice = random.Random(5)
    samples = bytearray()
    for k in range(frames):
        for pitch in (31, 43):
            samples += struct.pack("<h", round(9000 * math.sin(k / pitch)) + dice.randrange(-20, 20))
    shape = struct.pack("<IHHIIHH", 16, 1, 2, 44100, 176400, 4, 16)
    head = b"RIFF" + struct.pack("<I", 36 + len(samples)) + b"WAVEfmt " + shape
    return head + b"data" + struct.pack("<I", len(samples)) + samples


def archive() -> bytes:
    """Return a tar archive of members of one type each, long enough to be stretches of a block."""
    out = io.BytesIO()
    bitmap = b"P4 192 900\n" + stripe(900)
    members = (prose(17_000), planes(90, 65), bitmap, records(1100), waves(4300), code(17_000), prose(3000))
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for number, content in enumerate(members):
            member = tarfile.TarInfo(f"member-{number}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def noise(size: int) -> bytes:
    return random.Random(4).randbytes(size)


def newer(content: bytes) -> bytes:
    """Return another version: words changed, gone and come."""
    out = bytearray(content)
    for at in range(len(out) - 500, 0, -977):
        out[at : at + 4] = (b"", b"newer", b"it")[at % 3]
    return bytes(out)


def network(steps: int) -> bytes:
    """Return a safetensors file of two layers, after so many steps of training."""
    start, moves = random.Random(7), random.Random(8)
    header, body = {}, b""
    for name, kind, width in (("first", "BF16", 2), ("second", "F32", 4)):
        values = [start.randrange(-4000, 4000) / 4096 for _ in range(900)]
        for _ in range(steps):
            values = [value + moves.randrange(-3, 4) / 4096 for value in values]
        layer = b"".join(struct.pack("<f", value)[4 - width :] for value in values)
        header[name] = {"dtype": kind, "shape": [30, 30], "data_offsets": [len(body), len(body) + len(layer)]}
        body += layer
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


# Members that need more than themselves, which tests/golden/beside holds: by name, what they are made with.
OLD, PRIMER = prose(20_000) + records(300), nzip.make_primer([prose(9000), SHORT := b"a record, short; " * 9])
BESIDE: dict[str, tuple[bytes, dict[str, object]]] = {
    **{f"like-level-{level}": (newer(OLD), {"level": level, "like": OLD}) for level in (2, 3, 6, 9)},
    "like-blocks": (newer(OLD) * 2, {"level": 2, "like": OLD, "block_size": 4096}),
    **{f"like-weights-{level}": (network(2), {"level": level, "like": network(0)}) for level in (1, 3, 6)},
    **{f"primer-level-{level}": (prose(400), {"level": level, "primer": PRIMER}) for level in (2, 3, 6, 9)},
    "primer-blocks": (newer(prose(9000)), {"level": 3, "primer": PRIMER, "block_size": 4096}),
}


def packed(content: bytes, level: int = 1, **settings: object) -> bytes:
    with nzip.Compressor(level, **settings) as compressor:  # type: ignore[arg-type]
        return compressor.compress(content) + compressor.flush()


CONTENTS: dict[str, Callable[[], bytes]] = {
    "prose": lambda: prose(6000),
    "records": lambda: records(400),
    "code": lambda: code(5000),
    "picture": lambda: planes(60, 40),
    "noise": lambda: noise(1500),
    "zeros": lambda: bytes(20_000),
    "one-byte": lambda: b"\n",
    "short": lambda: b"to be, or not to be: that is the question",
}
SOURCE = b"""import sys


def main() -> None:
    \"\"\"Print what is read.\"\"\"
    for line in sys.stdin:
        print(line.rstrip("\\n"))


if __name__ == "__main__":
    main()
"""


def tabled() -> tuple[bytes, bytes]:
    """Return a packed directory with the table of its entries, and its tar archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, size, link in (
            ("top/a.txt", tarfile.REGTYPE, 1300, ""), ("top/größe", tarfile.REGTYPE, 0, ""),
            ("top/hard", tarfile.LNKTYPE, 0, "top/a.txt"), ("top/link", tarfile.SYMTYPE, 0, "sub/../a.txt"),
            ("top/sub", tarfile.DIRTYPE, 0, ""), ("top", tarfile.DIRTYPE, 0, ""),
        ):  # fmt: skip
            member = tarfile.TarInfo(name)
            member.type, member.size, member.linkname = kind, size, link
            member.mode, member.mtime = 0o755 if kind == tarfile.DIRTYPE else 0o640, 1_700_000_000 - size
            tar.addfile(member, io.BytesIO(prose(size)))
    raw = out.getvalue()
    with Tree(io.BytesIO(packed(raw, engine="store"))) as tree:
        chunk = encode_chunk(packed(encode_table(tree.entries), engine="store"))
    with nzip.Compressor(1, block_size=4096, kind="tar") as compressor:
        data = compressor.compress(raw)
        compressor._add_table(chunk)
        return data + compressor.flush(), raw


def golden(with_cm: bool) -> Iterator[tuple[str, Callable[[], tuple[bytes, bytes]]]]:
    """Yield name and maker; a maker returns (file, content)."""

    def one(content: bytes, **settings: object) -> Callable[[], tuple[bytes, bytes]]:
        return lambda: (packed(content, **settings), content)  # type: ignore[arg-type]

    text, table = prose(6000), records(400)
    yield "store-empty", one(b"", engine="store")
    yield "zstd-table", tabled
    yield "store-one-byte", one(b"\0", engine="store")
    yield "store-solo", one(noise(300), engine="store")
    yield "store-blocks", one(noise(5000), engine="store", block_size=2048)
    for level in (1, 2):
        yield f"zstd-level-{level}", one(text, level=level)
    yield "zstd-level-19", one(text, engine="zstd", params={"level": 19})
    yield "zstd-blocks", one(text, block_size=1024)
    yield "zstd-and-store-blocks", one(text[:2048] + noise(2048) + bytes(1024), block_size=1024)
    yield "zstd-window-10", one(text, engine="zstd", params={"level": 19, "window": 10})
    again = prose(50_000) + noise(9000) + newer(prose(50_000)) + prose(30_000)
    yield "copies-solo", one(again, level=2)
    yield "copies-blocks", one(again, level=2, block_size=1 << 16)
    yield "zstd-zeros", one(bytes(100_000), engine="zstd", params={"level": 19})
    fields = {"name": "Größe 大小.txt", "mode": 0o640, "mtime_ns": 1_700_000_000_123_456_789, "kind": "tar"}
    yield "fields-solo", one(text[:100], **fields)
    yield "fields-blocks", one(text, block_size=2048, content_size=len(text), **fields)
    yield (
        "concatenated",
        lambda: (
            packed(text[:500]) + packed(b"") + packed(table, block_size=2048) + packed(noise(40)),
            text[:500] + table + noise(40),
        ),
    )
    if with_cm:
        kinds = {
            "prose": text, "source": SOURCE, "records": table, "zeros": bytes(20_000), "picture": planes(60, 40),
            "bitmap": b"P4 192 60\n" + stripe(60), "bitmap-no-header": stripe(60), "sound": waves(1500),
        }  # fmt: skip
        for engine, presets in (("cm", range(1, 5)), ("cmstrong", range(1, 4))):
            for preset in presets:
                for kind, content in kinds.items():
                    yield f"{engine}-1-preset-{preset}-{kind}", one(content, engine=engine, params={"preset": preset})
        for kind, content in {**kinds, "two-streams": prose(70_000)}.items():
            yield f"cmfast-1-{kind}", one(content, engine="cmfast")
        # Several stretches in one block.
        for name, engine, params in (
            ("cm-1-preset-3", "cm", {"preset": 3}), ("cmstrong-1-preset-1", "cmstrong", {"preset": 1}),
            ("cmfast-1-one-stream", "cmfast", {"streams": 1}), ("cmfast-1-two-streams", "cmfast", {"streams": 2}),
        ):  # fmt: skip
            yield f"{name}-archive", one(archive(), engine=engine, params=params)
        yield "cm-1-no-primer", one(text, engine="cm", params={"primer": 0})
        yield "cm-1-few-bits", one(text, engine="cm", params={"bits": 8})
        yield "cm-1-blocks", one(text, engine="cm", block_size=2048)
        yield "cm-1-and-store-blocks", one(text[:2048] + noise(2048), engine="cm", block_size=1024)
        for kind, make in CONTENTS.items():
            yield f"midicoth-{kind}", one(make(), engine="midicoth")
        yield "midicoth-blocks", one(text, engine="midicoth", block_size=2048)
        yield "midicoth-few-slots", one(text, engine="midicoth", params={"bits": 10})


def engines() -> Iterator[tuple[str, Callable[[], tuple[bytes, bytes]]]]:
    """Yield a file of each engine, of the table of engines: its first row that needs no model of users."""
    from models.cases import CASES

    first = {case.engine: case for case in reversed(CASES) if not case.needs_more}
    for name, case in first.items():
        content = case.blocks()["text" if case.text_only else "records"]
        settings = {"engine": name, "params": dict(case.params)}
        yield f"engine-{name}", lambda content=content, settings=settings: (packed(content, **settings), content)


def transformed() -> Iterator[tuple[str, Callable[[], tuple[bytes, bytes]]]]:
    """Yield files with each transform, of the table of transforms: forced upon contents that suit it, whatever the
    detection thinks. Zeros behind them make each file shorter than its content, or it would be stored."""
    from formats.transforms import cases

    from nzip.codec import coding

    def forced(content: bytes, chain: list[tuple[str, dict[str, int]]]) -> Callable[[], tuple[bytes, bytes]]:
        def make() -> tuple[bytes, bytes]:
            choose, coding.choose = coding.choose, lambda *_, **__: chain
            try:
                return packed(content, engine="zstd", params={"level": 19}), content
            finally:
                coding.choose = choose

        return make

    for name, case in cases.CASES.items():
        for number, (params, *_) in enumerate(case.pinned):
            yield f"transform-{name}-{number}", forced(case.block[:3000] + bytes(1000), [(name, params)])
    columns = {"stride": 16, "width": 4, "big": 0, "offset": 0}
    yield "transform-two", forced(records(400), [("delta", columns), ("shuffle", {"width": 16, "offset": 0})])


def latents() -> Iterator[tuple[str, Callable[[], tuple[bytes, bytes]]]]:
    """Yield lossy files of every codec and every model that comes with nzip; the content is what they decode to."""
    import numpy as np

    from nzip.formats.signals.base import Audio, Image
    from nzip.models.latent import codecs

    rows, columns = np.arange(70)[:, None], np.arange(90)[None]
    waves = [np.sin(rows * a + columns * b) for a, b in ((0.11, 0.05), (0.02, 0.19), (0.3, 0.31))]
    edge = 60.0 * (rows + columns > 80)
    pixels = np.stack([np.rint(110 + 50 * wave + edge) for wave in waves], axis=2).astype(np.uint8)
    time = np.arange(30_000) / 16_000
    both = [0.4 * np.sin(900 * time * (1 + k) + 3 * np.sin(7 * time)) * np.exp(-time) for k in (0, 1)]

    def lossy(signal: Image | Audio, **settings: object) -> Callable[[], tuple[bytes, bytes]]:
        def make() -> tuple[bytes, bytes]:
            data = nzip.compress_signal(signal, **settings)  # type: ignore[arg-type]
            return data, nzip.decompress(data)

        return make

    picture, sound = Image(pixels), Audio(np.array(both, np.float32), 16_000)
    for path in sorted(codecs.shipped_folder().glob("*.safetensors")):
        codec = path.stem.partition("-")[0]
        for quality in (20, 90):
            is_sound = codec == "grvq" or "stereo" in path.stem
            signal = sound if is_sound else picture
            yield f"latents-{path.stem}-{quality}", lossy(signal, codec=codec, model=path.stem, quality=quality)
    alpha = np.concatenate([pixels, pixels[:, :, :1] // 64 * 64], axis=2)
    yield "latents-side", lossy(Image(alpha, "PNG", b"a profile" * 9), codec="walloc", quality=50)


def main(arguments: list[str]) -> int:
    with_cm, with_transforms = "--no-cm" not in arguments, "--no-transforms" not in arguments
    with_latents, anew = "--no-latents" not in arguments, "--anew" in arguments
    FOLDER.mkdir(parents=True, exist_ok=True)
    manifest = FOLDER / "MANIFEST"
    lines = [line for line in _lines(manifest) if (FOLDER / line.split()[2]).exists()]
    listed = {line.split()[2] for line in lines}
    added = 0
    for name, (content, settings) in BESIDE.items() if with_cm else ():
        path = FOLDER.parent / "beside" / f"{name}.nz"
        path.parent.mkdir(exist_ok=True)
        if anew or not path.exists():
            path.write_bytes(packed(content, **settings))  # type: ignore[arg-type]
    makers = [*golden(with_cm)]
    makers += engines() if with_cm else ()
    makers += transformed() if with_transforms else ()
    makers += latents() if with_latents else ()
    for name, make in makers:
        path = FOLDER / f"{name}.nz"
        if path.name in listed and not anew:
            continue
        data, content = make()
        if path.name in listed and path.read_bytes() == data:
            continue
        lines = [line for line in lines if line.split()[2] != path.name]
        if nzip.decompress(data) != content:
            raise SystemExit(f"{name} does not decode to its content")
        if name.startswith("engine-") and name != f"engine-{inspected(data).blocks[0].engine}":
            raise SystemExit(f"{name} is of another engine")
        if name.startswith("transform-") and not any(block.transforms for block in inspected(data).blocks):
            raise SystemExit(f"{name} carries no transform")
        path.write_bytes(data)
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {hashlib.sha256(data).hexdigest()}  {path.name}")
        added += 1
    manifest.write_text("\n".join(sorted(lines, key=lambda line: line.split()[2])) + "\n")
    print(f"{added} written, {len(lines)} in all{'' if with_cm else ' (without cm and midicoth)'}")
    return 0


def _lines(manifest: Path) -> list[str]:
    return manifest.read_text().splitlines() if manifest.exists() else []


def inspected(data: bytes) -> nzip.FileInfo:
    return nzip.inspect(io.BytesIO(data))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
