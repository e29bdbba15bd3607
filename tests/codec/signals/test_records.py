"""What a lossy file may ask for: heads, rates, parts and sizes are checked before anything is decoded for them."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import xxhash
from models.latent import tiny

import nzip
from nzip.codec.blocks import encode_block
from nzip.codec.coding import Coding
from nzip.errors import CorruptError, LimitError, UnsupportedError
from nzip.formats.container.structures import End, Header, IndexEntry
from nzip.formats.signals.base import Audio, Image
from nzip.models.latent import codecs, record
from nzip.models.latent.base import LatentCodec
from nzip.models.latent.layers import NumpyOps
from nzip.models.latent.record import Head
from nzip.settings import GENERAL


def member(blocks: list[tuple[bytes, str]], kind: str) -> bytes:
    """A file of blocks of these bytes, each by an engine."""
    params = {"zstd": {"level": 1}}
    chunks = [encode_block(raw, Coding(((engine, params.get(engine, {})),), False)) for raw, engine in blocks]
    start = Header(kind=kind).encode()
    whole = xxhash.xxh3_64()
    for raw, _ in blocks:
        whole.update(raw)
    entries = tuple(IndexEntry(0, len(chunk), len(raw)) for chunk, (raw, _) in zip(chunks, blocks, strict=True))
    return start + b"".join(chunks) + End(len(start), entries, 0, whole.intdigest()).encode()


def shipped(name: str) -> tuple[LatentCodec, int, str]:
    kind = next(iter(codecs.CODECS[name].defaults))
    codec, model = codecs.by_name(name, kind)
    return codec, codecs.CODECS[name].id, model


def record_of(name: str, size: tuple[int, ...], **values: object) -> tuple[Head, bytes]:
    """A head that names a model which comes with nzip, and symbols of zeros, as many as it has."""
    codec, number, model = shipped(name)
    kind = record.PICTURE if len(size) == 2 else record.SOUND
    channels = 3 if kind == record.PICTURE else 1
    fields = {"rate": 16000, "subtype": "PCM_16"} if kind == record.SOUND else {}
    head = Head(number, model, codec.settings(1), kind, size, channels, **(fields | values))  # type: ignore[arg-type]
    coded = head.coded_size(codec)
    count = sum(k.itemsize * math.prod(shape) for k, shape in codec.layout(coded, head.settings))
    return replace(head, symbols=count), bytes(count)


def file_of(head: Head, symbols: bytes, *more: tuple[bytes, str]) -> bytes:
    kind = "image" if head.kind == record.PICTURE else "audio"
    return member([(head.encode() + symbols, "store"), *more], kind)


CASES = """
import io, json, re, sys
import nzip
from nzip.codec.files.decompress import decompress_file
said = {}

def peak():
    # getrusage begins with what the parent had.
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) >> 10

for name in sys.argv[1:]:
    for how in ("signal", "file", "latents"):
        try:
            with open(name, "rb") as file:
                if how == "signal":
                    nzip.decompress_signal(file.read(), max_memory=100 << 20)
                elif how == "file":
                    decompress_file(file, io.BytesIO(), max_memory=100 << 20)
                else:
                    nzip.latents(file, max_memory=100 << 20)
            said[name, how] = "accepted"
        except Exception as error:
            said[name, how] = type(error).__name__
        print(name, how, peak(), file=sys.stderr)
peak = peak()
print(json.dumps({"said": sorted(set(said.values())), "peak": peak, "torch": "torch" in sys.modules}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of memory")
def test_hostile_records_take_no_memory(tmp_path):
    """Refused at once, in a process that never has more than 100 MB beyond its limit."""
    zeros = bytes(48 << 20)
    picture, _ = record_of("vqgan", (16, 16))
    sound, symbols = record_of("grvq", (4000,))
    files = {
        "zeros": member([(zeros, "zstd")] * 6, "image"),
        "side": file_of(replace(picture, side=((record.EXIF, 6 * len(zeros)),)), b"\0\0", *[(zeros, "zstd")] * 6),
        "large": file_of(*record_of("vqgan", (2000, 2000))),
        "huge": file_of(replace(picture, size=(1 << 14, 1 << 14), symbols=1 << 21), bytes(1 << 21)),
        "long": file_of(replace(sound, size=(1 << 32,), symbols=len(symbols)), symbols),
        "many": file_of(replace(sound, channels=64, size=(1 << 26,), tile=1 << 16), symbols),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", CASES, *(str(tmp_path / name) for name in files)], capture_output=True, timeout=240
    )
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert set(found["said"]) <= {"CorruptError", "LimitError"}
    assert found["peak"] < 200, done.stderr.decode()
    assert not found["torch"]


def test_a_rate_cannot_make_much_of_little():
    """A sample that would be 134,000: such rates are none."""
    head, symbols = record_of("grvq", (320,))
    for rate in (0, (1 << 31) - 1, record.MAX_RATE + 1):
        with pytest.raises(CorruptError):
            nzip.decompress_signal(file_of(replace(head, rate=rate), symbols))
    for rate in (16000 * 64 + 1, 249, record.MAX_RATE):
        bad = replace(head, rate=rate, size=(1,))
        with pytest.raises(CorruptError, match="samples a second is none that the codec grvq"):
            nzip.decompress_signal(file_of(bad, symbols))
    most = replace(head, rate=16000 * 64 - 1, size=(320 * 64 - 64,))
    found = nzip.decompress_signal(file_of(most, symbols), ops=NumpyOps())
    assert found.samples.shape == (1, 320 * 64 - 64)


def test_rates_are_refused_when_encoding():
    sound = Audio(np.zeros((1, 500), np.float32), (1 << 31) - 1)
    with pytest.raises(ValueError, match="samples a second; a rate is 1 to"):
        nzip.compress_signal(sound)
    with pytest.raises(ValueError, match="too far from the 16,000 of the codec grvq"):
        nzip.compress_signal(Audio(sound.samples, 2_000_000), codec="grvq")
    assert nzip.decompress_signal(nzip.compress_signal(Audio(sound.samples, 2_000_000), kbps=3000)).rate == 2_000_000


@pytest.mark.parametrize(
    ("size", "tile"),
    [((2049, 2049), 0), ((1, 1 << 22), 0), ((5000, 5000), 4000), ((3000, 3000), 255), ((300, 300), 16)],
)
def test_parts_have_a_size(size, tile):
    codec, number, model = shipped("vqgan")
    head = Head(number, model, (0,), record.PICTURE, size, 3, tile=tile)
    with pytest.raises(CorruptError, match=r"larger than the format allows|cannot be"):
        record.sizes(Head.parse(head.encode())[0], codec)


def test_the_output_has_a_limit(tmp_path_factory, monkeypatch):
    tiny.in_place_of_shipped(monkeypatch, tmp_path_factory.mktemp("models"))
    data = nzip.compress_signal(Image(tiny.picture(1, 45, 61)))
    assert nzip.decompress_signal(data, max_output_size=45 * 61 * 3).pixels.shape == (45, 61, 3)
    with pytest.raises(LimitError, match=r"8,235 bytes and the limit is 8,234 \(max_output_size\)"):
        nzip.decompress_signal(data, max_output_size=45 * 61 * 3 - 1)
    latents = nzip.latents(io.BytesIO(data))
    assert np.array_equal(nzip.latents(io.BytesIO(data), max_output_size=latents.nbytes), latents)
    with pytest.raises(LimitError, match="max_output_size"):
        nzip.latents(io.BytesIO(data), max_output_size=latents.nbytes - 1)


def test_the_first_block_is_the_head_and_its_symbols():
    head, symbols = record_of("vqgan", (16, 16))
    start = head.encode()
    assert nzip.decompress_signal(file_of(head, symbols), ops=NumpyOps()).pixels.shape == (16, 16, 3)
    exif = replace(head, side=((record.EXIF, 4),))
    assert nzip.decompress_signal(file_of(exif, symbols, (b"exif", "store")), ops=NumpyOps()).exif == b"exif"
    for blocks in (
        [(start, "store"), (symbols, "store")],
        [(start + symbols + b"\0", "store")],
        [(exif.encode() + symbols + b"exif", "store")],
        [(exif.encode() + symbols, "store"), (b"exi", "store")],
        [(exif.encode() + symbols, "store"), (b"exif-", "store")],
        [(exif.encode() + symbols, "store")],
    ):
        with pytest.raises(CorruptError):
            nzip.decompress_signal(member(blocks, "image"))
    coded = encode_block(start + symbols + bytes(100), Coding((GENERAL,)))
    with pytest.raises(CorruptError, match="engine that does not keep its head"):
        nzip.decompress_signal(Header(kind="image").encode() + coded)


@pytest.mark.parametrize(
    ("side", "error"),
    [
        (((99, 4),), UnsupportedError), (((record.EXIF, 2), (record.EXIF, 2)), CorruptError),
        (((record.ALPHA, 256),), CorruptError),
    ],
)  # fmt: skip
def test_side_data_that_nobody_knows(side, error):
    head, _ = record_of("vqgan", (16, 16))
    with pytest.raises(error):
        Head.parse(replace(head, side=side).encode())
    with pytest.raises(CorruptError):
        Head.parse(replace(head, channels=4).encode())  # whose alpha channel is missing


SIZES = [
    ("walloc", (200, 264)), ("walloc", (1, 9000)), ("vqgan", (176, 192)), ("hyperprior", (136, 200)),
    ("hyperprior", (5000, 1)), ("grvq", (60_000,)), ("grvq", (400_000,)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_codecs_take_no_more_memory_than_they_say(name, size):
    codec, _, _ = shipped(name)
    settings = codec.settings(60)
    small = tuple(min(n, 16) for n in size)
    zeros = [np.zeros(shape, kind) for kind, shape in codec.layout(size, settings)]
    code = codec.encode(zeros, settings)
    tiny_code = codec.encode([np.zeros(shape, kind) for kind, shape in codec.layout(small, settings)], settings)
    codec.synthesise(codec.decode(tiny_code, small, settings), small, settings, NumpyOps())  # compiles
    tracemalloc.start()
    try:
        symbols = codec.decode(code, size, settings)
        decoding = tracemalloc.get_traced_memory()[1]
        codec.synthesise(symbols, size, settings, NumpyOps())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    stated = codec.memory(size, settings)
    kept = sum(array.nbytes for array in zeros)
    assert peak <= stated + kept + (1 << 20)
    assert stated <= 8 * peak + (64 << 20)
    from nzip.models.latent import engine

    assert decoding <= engine.FIXED // 2 + engine.PER_BYTE * kept
