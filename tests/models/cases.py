"""The table of engine cases: every registered engine, with each preset and each set of parameters worth a check.

`test_engines` makes all tests of the seam from it. An engine that is new gets a row, or a test fails. A row's pinned
payloads stand in `payloads.json`; after a change of payloads that is meant, write them anew:

    python -m tests.models.cases
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from nzip.errors import CorruptError, NzipError
from nzip.formats.content.detection import detect
from nzip.models.base import Engine
from nzip.models.cm.engine import ContextMixing
from nzip.models.cm.layout import AUDIO, BINARY, BITMAP, IMAGE, TEXT
from nzip.models.cm.segments import Stretch
from nzip.registry import ENGINES

HERE = Path(__file__).parent
PINNED = HERE / "payloads.json"
JIT_OFF = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
DICE = random.Random(11)
NOISE = DICE.randbytes(600)
WORDS = b"the cat and the dog and the bird sat on the mat. "
SMALL = "a few words"  # the block that is short enough for a run without the compiler
BLOCKS = {
    SMALL: WORDS[:40],
    "one byte": b"a",
    "byte 0": b"\0",
    "byte 255": b"\xff",
    "two bytes": b"ab",
    "three bytes": b"\0\0\1",
    "noise": NOISE,
    "run": b"\0" * 1000,
    "run of 255": b"\xff" * 700,
    "two runs": b"a" * 400 + b"b" * 400,
    "text": WORDS * 15,
    "text, then noise": WORDS * 5 + NOISE[:300],
    "every byte": bytes(range(256)) * 2,
    "records": b"".join(bytes((n & 255, n >> 8, 0, 7 * n & 255)) for n in range(250)),
    "repeat at a distance": NOISE + NOISE,
}
if JIT_OFF:
    BLOCKS = {about: block[:40] for about, block in BLOCKS.items()}
CIRCUITS = {"a2e2ecc0ffc3127c": 10, "b7affc5b0a2d5aed": 0}  # of models of records, with bits of tables
SEVERAL = "several types"  # of bytes in one block
MAP = [
    Stretch(TEXT, 30), Stretch(BINARY, 20, 4), Stretch(IMAGE, 31, 12, 3, phase=5), Stretch(AUDIO, 21, 0, 4, 2, phase=1),
    Stretch(BITMAP, 12, 3), Stretch(TEXT, 9),
]  # fmt: skip
BLOCKS[SEVERAL] = WORDS[:30] + bytes((9, 0, 7, 7)) * 5 + bytes(range(80, 132)) + bytes((0, 24, 0)) * 4 + WORDS[:9]


@dataclass(frozen=True)
class Case:
    """One engine with parameters.

    Attributes:
        engine: its name.
        params: what it is told.
        naive: the payload of a block with fitted parameters, of which the kernel's is known, in plain Python; None
            where no reference is kept here.
        inside: makes what the engine needs in this process, as a context; a small model, say.
        blocks: what is coded, by a name; `BLOCKS` if left out.
        pinned: whether payloads are the same everywhere; not those of a library that may change them.
        compiled: whether the engine runs only compiled, and in threads of its own.
        text_only: whether it leaves what is no text to others.
        brief: whether a block takes so long that few of them are damaged.
        faults: what decoding a damaged payload may raise.
    """

    engine: str
    params: Mapping[str, Any] = field(default_factory=dict)
    naive: Callable[[bytes, Mapping[str, Any], bytes], bytes] | None = None
    inside: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
    blocks: Callable[[], dict[str, bytes]] = lambda: BLOCKS
    pinned: bool = True
    compiled: bool = False
    text_only: bool = False
    brief: bool = False
    faults: type[NzipError] = CorruptError

    def __str__(self) -> str:
        return ":".join([self.engine, ",".join(f"{key}={value}" for key, value in self.params.items())]).rstrip(":")

    @property
    def needs_more(self) -> bool:
        """Whether the engine needs a model that does not come with nzip."""
        return self.inside is not contextlib.nullcontext

    @property
    def coder(self) -> Engine:
        """The engine itself."""
        engine: Engine = ENGINES.by_name(self.engine)
        return engine

    def encode(self, block: bytes) -> bytes:
        """Return the payload of `block`, with what is seen of its content; that of `SEVERAL` by its map."""
        engine, params = self.coder, self.coder.fit(self.params, len(block))
        if isinstance(engine, ContextMixing) and block == BLOCKS[SEVERAL]:
            return engine.encode_stretches(block, params, MAP)
        return engine.encode(block, params, _tensors(block) if self.engine == "tensor" else detect(block))


# What an encoder may choose, the types of stretches, these references take from its payload. They read no primers but
# the short one: that would take minutes.


def _naive_midicoth(block: bytes, params: Mapping[str, Any], payload: bytes) -> bytes:
    import naive_midicoth as naive

    naively: bytes = naive.encode(block, naive.Predictor(params["bits"], len(block)))
    return naively


def _naive_cm(block: bytes, params: Mapping[str, Any], payload: bytes) -> bytes:
    import naive_cm as naive
    from naive_segments import pack

    stretches, _, _ = naive.read_head(payload, len(block), 0)
    predictor = naive.Predictor(params["preset"], params["bits"], len(block))
    naively: bytes = pack(stretches) + naive.encode(block, stretches, predictor)
    return naively


def _naive_cmfast(block: bytes, params: Mapping[str, Any], payload: bytes) -> bytes:
    import naive_cmfast as naive

    from nzip.models.cm.engine import short_primer

    size = len(block) - len(block) % params["streams"]
    stretches, _ = naive.unpack(payload, size)
    naively: bytes = naive.encode(block, params, stretches, short_primer())
    return naively


def _naive_cmstrong(block: bytes, params: Mapping[str, Any], payload: bytes) -> bytes:
    import naive_cmstrong as naive

    stretches, _ = naive.unpack(payload, len(block))
    naively: bytes = naive.encode(block, params, stretches)
    return naively


def _naive_columnar(block: bytes, params: Mapping[str, Any], payload: bytes) -> bytes:
    import naive

    from nzip.formats.container.wire import uleb

    count, first = payload[:2]
    lefts = payload[2 : 2 + count]
    rows = [block[at : at + count] for at in range(first, len(block) - count + 1, count)]
    naively = payload[: 2 + count] + block[:first]
    for column, left in enumerate(lefts):
        known = [row[column - left] if left else 0 for row in rows]
        groups, held, least = [set[int]()], 0, max(64, len(rows) // 64)
        for value in range(256):
            groups[-1].add(value)
            held += known.count(value)
            behind = sum(1 for other in known if other > value)
            if held >= least and behind >= least:
                groups.append(set())
                held = 0
        for group in groups:
            symbols = [row[column] for row, value in zip(rows, known, strict=True) if value in group]
            code = bytes(naive.range_code(naive.adaptive_triples(symbols, 256, 32, 1 << 16)))
            naively += uleb(len(code)) + code
    return naively + block[first + count * len(rows) :]


def _naive_pix(block: bytes, params: Mapping[str, Any], payload: bytes) -> bytes:
    import naive_pix as naive

    found = naive.Payload(payload, len(block), params["preset"])
    assert found.block == block
    naively: bytes = found.again()
    return naively


def _pictures() -> dict[str, bytes]:
    """Pictures behind headers of PNM: grey, of two bytes, in colours, in those of JFIF; and bytes that are none."""
    dice = random.Random(15)
    most = 5 if JIT_OFF else 24

    def slope(width: int, height: int, channels: int, step: int = 5) -> list[int]:
        return [
            min(255, max(0, 40 * channel + step * x + 3 * y + dice.randrange(4)))
            for y in range(height) for x in range(width) for channel in range(channels)
        ]  # fmt: skip

    def jfif(a: int, b: int, c: int) -> bytes:
        red, blue = a + (91881 * c + 32768 >> 16), a + (116130 * b + 32768 >> 16)
        green = a + (32768 - 22554 * b - 46802 * c >> 16)
        return bytes(min(255, max(0, x)) for x in (red, green, blue))

    small = bytes(slope(6, 5, 1))
    grey = bytes(slope(9, most, 1))
    wide = b"".join((200 * x).to_bytes(2, "big") for x in slope(8, most // 2, 1))
    colours = bytes(slope(7, most // 2, 3))
    smooth = b"".join(
        jfif(80 + 3 * x + dice.randrange(9), 5 - y // 2, x // 3) for y in range(most // 2) for x in range(12)
    )
    return {
        SMALL: b"P5\n6 5\n255\n" + small,
        "one byte": b"a",
        "noise": NOISE[:100],
        "run": b"P5\n40 %d\n255\n" % most + b"\7" * 40 * most,
        "text": b"P6\n7 %d\n255\n" % (most // 2) + colours + b"and some words behind",
        "records": b"P5\n8 %d\n65535\n" % (most // 2) + wide,
        "text, then noise": b"P5\n9 %d\n255\n" % most + grey + NOISE[:20],
        SEVERAL: b"P6\n12 %d\n255\n" % (most // 2) + smooth,
    }


def _naive_pcm(block: bytes, params: Mapping[str, Any], payload: bytes) -> bytes:
    import naive_pcm as naive

    naively: bytes = naive.encode(block, params, payload)
    return naively


def _naive_circuit(block: bytes, params: Mapping[str, Any], payload: bytes) -> bytes:
    import naive_circuit as naive
    from models.circuit_files import circuit

    return naive.encode(block, payload, circuit(CIRCUITS[params["id"]]).packed, params["apart"])


def _naive_bilevel(block: bytes, params: Mapping[str, Any], payload: bytes) -> bytes:
    import naive_bilevel as naive

    naively: bytes = naive.encode(block, payload)
    return naively


def _bitmaps_too() -> dict[str, bytes]:
    """`BLOCKS`, and rows of bits that resemble each other."""
    dice = random.Random(15)
    rows = [bytearray(dice.randbytes(5))]
    for _ in range(60):
        rows.append(bytearray(rows[-1]))
        rows[-1][dice.randrange(5)] ^= 1 << dice.randrange(8)
    return {**BLOCKS, "bitmap": b"P4\n40 60\n" + b"".join(rows)[:303]}


def _pairs_too() -> dict[str, bytes]:
    """`BLOCKS`, and one in which the first byte of two says what the second may be."""
    dice = random.Random(14)
    first = [dice.choice((3, 250)) for _ in range(150)]
    return {**BLOCKS, "pairs": b"".join(bytes((a, a - dice.randrange(2))) for a in first)}


def _naive_dna(block: bytes, params: Mapping[str, Any], payload: bytes) -> bytes:
    import naive_dna as naive

    naively: bytes = naive.encode(block, params["preset"], params["bits"])
    return naively


def _naive_reads(block: bytes, params: Mapping[str, Any], payload: bytes) -> bytes:
    import naive_dna as naive

    naively: bytes = naive.encode_reads(block, payload, params["preset"], params["bits"])
    return naively


def _nucleotides(count: int) -> bytes:
    """So many bytes of four, in which stretches come again, also on the other strand."""
    dice = random.Random(count)
    found = [dice.randrange(4) for _ in range(60)]
    while len(found) < 4 * count:
        start = dice.randrange(len(found) - 50)
        piece = found[start : start + 50]
        piece = dice.choice((piece, [3 - each for each in piece[::-1]], [dice.randrange(4) for _ in range(20)]))
        piece[dice.randrange(len(piece))] = dice.randrange(4)
        found += piece
    return bytes(a << 6 | b << 4 | c << 2 | d for a, b, c, d in zip(*[iter(found[: 4 * count])] * 4, strict=True))


def _genomes() -> dict[str, bytes]:
    """`BLOCKS`, and nucleotides."""
    few = _nucleotides(30)
    return {**BLOCKS, SMALL: few, "records": few if JIT_OFF else _nucleotides(500)}


def _reads() -> dict[str, bytes]:
    """Qualities with nucleotides, with too few of them, without any; and bytes that are none."""
    dice = random.Random(16)

    def lines(count: int) -> bytes:
        return b"".join(
            bytes(dice.choice(b"FFFF:,#") for _ in range(dice.choice((20, 20, 23)))) + b"\n" for _ in range(count)
        )

    def stretch(qualities: bytes, nucleotides: int) -> bytes:
        return bytes((len(qualities) & 127 | 128, len(qualities) >> 7)) + qualities + _nucleotides(nucleotides)

    few, some = lines(2), lines(4 if JIT_OFF else 30)
    return {
        SMALL: bytes((len(few),)) + few + _nucleotides(10),
        "records": stretch(some, len(some) // 4),
        "text": stretch(lines(7), 0),
        "text, then noise": stretch(lines(7), 9),
        "two runs": stretch(b"F" * 139, 40),
        "run": stretch(b"F" * 130 + b"\n", 60),
        "noise": NOISE[:100],
        "one byte": b"a",
        "two bytes": b"ab",
    }


@contextlib.contextmanager
def _circuits() -> Iterator[None]:
    """Models of records: one with tables of contexts, and one without."""
    from models.circuit_files import circuit

    from nzip.models.circuit import models

    for id_, bits in CIRCUITS.items():
        assert models.keep(circuit(bits).packed, "a circuit").id == id_
    yield
    models._open.clear()


def _records() -> dict[str, bytes]:
    """`BLOCKS`, and records for these models."""
    from models.circuit_files import records

    few, many = records(3), records(6 if JIT_OFF else 60)
    runs = {"run": records(6, 3), "text": records(6 if JIT_OFF else 40, 4)}
    return {**BLOCKS, **runs, SMALL: few, "records": many, "text, then noise": WORDS[:5] + many + NOISE[:4]}


@contextlib.contextmanager
def _a_language_model() -> Iterator[None]:
    """A Llama with random weights, called `tiny`."""
    from models.lm.model_files import CODABLE, write_gguf

    from nzip.models.lm import loading
    from nzip.models.lm.cache import local

    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, NZIP_MODELS=folder):
        loading._opened.clear()
        local.add(write_gguf(Path(folder, "tiny.gguf"), CODABLE), name="tiny")
        yield
        loading._opened.clear()


@contextlib.contextmanager
def _a_latent_model() -> Iterator[None]:
    """A model of walloc for sounds, called `tiny-sound`."""
    from models.latent import tiny

    from nzip.models.latent import codecs

    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, NZIP_MODELS=folder):
        codecs._open.clear()
        place = Path(folder, "latent")
        place.mkdir()
        (place / "tiny-sound.safetensors").write_bytes(tiny.walloc_bytes(1))
        yield
        codecs._open.clear()


def _latents_of_sounds() -> dict[str, bytes]:
    """Records, as `nzip.models.latent.record` makes them: of a short sound, of a long one; and bytes that are none."""
    from models.latent import tiny

    from nzip.models.latent import codecs, record
    from nzip.models.latent.layers import NumpyOps

    codec, model = codecs.by_name("walloc", "audio", "tiny-sound")
    found = {"noise": NOISE[:100], "one byte": b"a"}
    for name, count in ((SMALL, 64), ("run", 900), ("text", 2500), ("records", 400)):
        data = record.to_bytes([codec.analyse(tiny.sound(1, 2, count), (50,), NumpyOps())])
        head = record.Head(1, model, (50,), record.SOUND, (count,), 2, rate=44100, subtype="PCM_16", symbols=len(data))
        found[name] = head.encode() + data
    return found


def _sounds() -> dict[str, bytes]:
    """`BLOCKS`, and sounds of every form: with headers, so that what they hold is seen."""
    from models.pcm import sounds

    every = sounds.every()
    found = {**BLOCKS, SMALL: sounds.riff(sounds.tones(24, 1), 2, 1), "records": every["stereo"], **every}
    return {about: block[:120] for about, block in found.items()} if JIT_OFF else found


def _tensors(block: bytes) -> Any:
    from models.tensor import made

    return made.seen(block)


def _naive_tensor(block: bytes, params: Mapping[str, Any], payload: bytes) -> bytes:
    import naive_tensor as naive

    found = naive.Payload(payload, len(block), params["preset"])
    assert found.block == block
    return found.again()


def _weights() -> dict[str, bytes]:
    """`BLOCKS`, and in the place of some files of weights of every type."""
    from models.tensor import made

    most = 3 if JIT_OFF else 40
    values = made.floats(60 * most, 5)
    shared = made.packed(values[:40], "F16")
    dice = random.Random(16)
    return {
        **BLOCKS,
        "two values": b"".join(dice.choice((b"\x80?", b"\0\xbf")) for _ in range(200)),
        "two halves": b"\x80?" * 60 + bytes(dice.choice((3, 62, 63)) for _ in range(80)),
        SMALL: made.layers("BF16", (4, 9)),
        "run": made.safetensors([("zeros", "F32", (20, most), bytes(80 * most)), ("ones", "F16", (40,), b"\0<" * 40)]),
        "text": made.layers("BF16", (most, 30), (most,), (most, 3, 3)),
        "records": made.layers("F32", (most, 20), (20,)),
        "two runs": made.safetensors([("half", "F32", (40, most // 2), made.packed([
            float(int(512 * value)) for value in values[: 40 * (most // 2)]
        ], "F32")), ("a", "F16", (5, 8), shared), ("b", "F16", (5, 8), shared)]),
        "text, then noise": made.layers("F16", (30, most)) + NOISE[:100],
        SEVERAL: made.safetensors([
            (kind, kind, (most, 10), made.packed(values[: 10 * most], kind)) for kind in ("F64", "I8", "BF16", "F32")
        ]),
    }  # fmt: skip


def _jpegs() -> dict[str, bytes]:
    """`BLOCKS`, and in the place of some JPEG files."""
    from formats.jpeg import made

    tiny = made.file("tiny")
    if JIT_OFF:
        return {**BLOCKS, SMALL: tiny, "run": tiny}
    files = {"text": "baseline_420", "run": "flat", "records": "progressive_444_restarts", "two runs": "cmyk"}
    noisy = made.file("thumbnail") + NOISE[:300]
    return {**BLOCKS, SMALL: tiny, **{name: made.file(file) for name, file in files.items()}, "text, then noise": noisy}


CASES = (
    Case("store"),
    Case("zstd", {"level": 1, "window": 10}, pinned=False),
    Case("zstd", {"level": 3, "window": 23}, pinned=False),
    Case("zstd", {"level": 19, "window": 26}, pinned=False),
    Case("zstd", {"level": 22, "window": 30}, pinned=False),
    *(Case("cm", {"preset": preset, "primer": 0}, naive=_naive_cm) for preset in (1, 2, 3, 4)),
    Case("cm", {"preset": 3}),
    Case("cm", {"preset": 3, "bits": 8, "primer": 0}, naive=_naive_cm),
    Case("cmfast", naive=_naive_cmfast),
    Case("cmfast", {"bits": 12, "streams": 1}, naive=_naive_cmfast),
    *(Case("cmstrong", {"preset": preset, "primer": 0}, naive=_naive_cmstrong) for preset in (1, 2, 3)),
    Case("cmstrong", {"preset": 1}, brief=True),
    Case("midicoth", naive=_naive_midicoth),
    Case("midicoth", {"bits": 10}, naive=_naive_midicoth),
    Case("lm", {"model": "tiny"}, inside=_a_language_model, compiled=True, text_only=True),
    Case("lm", {"model": "tiny", "streams": 3, "window": 64}, inside=_a_language_model, compiled=True, text_only=True),
    *(
        Case("circuit", {"id": id_, "apart": apart}, naive=_naive_circuit, inside=_circuits, blocks=_records)
        for id_ in CIRCUITS
        for apart in range(3)
    ),
    Case("bilevel", naive=_naive_bilevel, blocks=_bitmaps_too),
    *(Case("dna", {"preset": preset}, naive=_naive_dna, blocks=_genomes) for preset in (1, 2, 3, 4)),
    *(Case("reads", {"preset": preset}, naive=_naive_reads, blocks=_reads) for preset in (1, 2)),
    *(Case("reads", {"preset": preset}, blocks=_reads) for preset in (3, 4)),  # few short blocks become smaller
    Case("columnar", naive=_naive_columnar, blocks=_pairs_too),
    *(Case("pcm", {"preset": preset}, naive=_naive_pcm, blocks=_sounds) for preset in (1, 2)),
    Case("jpeg", {"preset": 1}, blocks=_jpegs),
    Case("jpeg", {"preset": 2}, blocks=_jpegs, brief=True),
    *(Case("pix", {"preset": preset}, naive=_naive_pix, blocks=_pictures) for preset in (1, 2)),
    *(Case("tensor", {"preset": preset}, naive=_naive_tensor, blocks=_weights) for preset in (1, 2)),
    Case("latents", inside=_a_latent_model, blocks=_latents_of_sounds, pinned=False, faults=NzipError),
)  # fmt: skip


def payloads(case: Case, names: tuple[str, ...]) -> dict[str, str]:
    """Return hashes of a case's payloads of some blocks."""
    with case.inside():
        blocks = case.blocks()
        return {name: hashlib.sha256(case.encode(blocks[name])).hexdigest()[:16] for name in names if name in blocks}


def main() -> None:
    """Write the pinned payloads anew."""
    names = (SMALL, "text", "records", "text, then noise", SEVERAL)
    kept = {str(case): payloads(case, names) for case in CASES if case.pinned}
    PINNED.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))  # for the modules of tests that rows need
    main()
