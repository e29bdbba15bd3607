"""Lossy pictures and sounds: records and their code, with the models that come with nzip; and hostile models."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np

from nzip.codec import blocks, lossy
from nzip.errors import CorruptError, LimitError, NzipError, UnsupportedError
from nzip.formats import container
from nzip.formats.container import Reader
from nzip.formats.signals.base import Audio, Image
from nzip.models.latent import codecs, record, weights
from nzip.models.latent.layers import NumpyOps

from . import mutate, wire
from .lossless import BELIEVE, TWICE, WAY, WHOLE, FileTarget, solo
from .mutate import uleb
from .target import ANY, MEBI, RIGHT, Believed, Target, Wrong, replaced
from .wire import Chunk, Member

CONTENT, SIGNAL, STORED = range(3)  # what is asked for; of STORED the record itself is changed
MOST_SIGNAL = 1 << 18  # bytes of pixels or samples, so that numpy makes them in a second or two
CODECS = ("walloc", "vqgan", "hyperprior", "grvq")


def picture(seed: int, height: int, width: int, channels: int = 3, deep: bool = False) -> Image:
    """Return a picture with some edges."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [(np.sin(x / (3 + c) + seed) + np.cos(y / (4 + c)) + (x > y)) * 60 + 100 for c in range(channels)]
    pixels = np.clip(np.stack(planes, axis=2), 0, 255).astype(np.uint8)
    if deep:
        return Image(pixels[:, :, :1].astype(np.uint16) * np.uint16(257))
    return Image(pixels, exif=b"Exif\0\0" + bytes(range(30)) if seed % 2 else b"")


def sound(seed: int, channels: int, count: int, rate: int) -> Audio:
    """Return a few tones."""
    time = np.arange(count)
    tones = [np.sin(time * (0.05 + 0.02 * c + 0.01 * seed)) * 0.4 for c in range(channels)]
    extra = {"title": "tones", "artist": "nobody"} if seed % 2 else {}
    return Audio(np.array(tones, np.float32).reshape(channels, count), rate, "WAV", "PCM_16", extra)


class LatentsTarget(FileTarget):
    """Members of lossy signals: the code of the symbols, and the heads of records, as they are coded and as content.

    A case whose record is stored as it is reaches what makes signals of symbols with any head and any symbols.
    """

    share = 1.5
    limit = 256 * MEBI
    believes = 0.8
    ways = (CONTENT, SIGNAL, SIGNAL, STORED, STORED)
    codec: str

    def made(self) -> list[list[Member]]:
        signals: list[tuple[Any, dict[str, Any]]] = []
        if self.codec == "grvq":
            signals += [(sound(1, 1, 500, 16000), {}), (sound(2, 2, 700, 8000), {"quality": 10})]
            signals += [(sound(1, 1, 1, 44100), {}), (sound(2, 1, 0, 16000), {})]
        else:
            signals += [(picture(1, 24, 33), {}), (picture(2, 20, 17, 4), {"quality": 5}), (picture(3, 1, 1), {})]
        if self.codec == "walloc":
            signals += [
                (picture(4, 30, 12, deep=True), {}),
                (sound(1, 2, 900, 44100), {}),
                (sound(2, 3, 400, 8000), {}),
            ]
        seeds = []
        for signal, how in signals:
            data = lossy.encode_signal(signal, codec=self.codec, ops=NumpyOps(), **_goal(how)).data
            seeds.append(wire.split(data))
        if self.codec != "grvq":  # one that is cut in parts, along one side
            with replaced(lossy, TILES={**lossy.TILES, record.PICTURE: (100, record.LEAST_TILE[record.PICTURE])}):
                data = lossy.encode_signal(picture(5, 3, 300), codec=self.codec, ops=NumpyOps()).data
            seeds.append(wire.split(data))
        return seeds

    def prepare(self) -> None:
        lossy.best_ops = NumpyOps  # type: ignore[assignment]  # torch has threads, which do not survive a fork
        super().prepare()
        self.contents = [b"".join(m.content() for m in seed) for seed in self.seeds]

    def mutation(self, r: Random) -> bytes:
        way = r.choice(self.ways)
        if way != STORED:
            case = bytearray(super().mutation(r))
            case[0] = case[0] & (BELIEVE | TWICE) | way << WAY
            return bytes(case)
        content = self.record(r, r.choice(self.contents))
        kind = r.choice(("image", "audio")) if r.random() < 0.05 else _kind(content)
        head = container.Header(solo=True, kind=kind).encode()
        return bytes((BELIEVE | STORED << WAY,)) + head + wire.encode_chunk(solo("store", content).chunks[0])

    def payload(self, r: Random, chunk: Chunk) -> bytes:
        if chunk.engine != 7 or r.random() < 0.4:
            return super().payload(r, chunk)
        return self.record(r, chunk.payload, coded=True)

    def record(self, r: Random, data: bytes, coded: bool = False) -> bytes:
        """Return a record, or its code, with changes to the head's fields and to what follows."""
        try:
            head, start = record.Head.parse(data)
        except NzipError:  # a change before this one left no head
            return mutate.octets(r, data)
        body = data[start:]
        if r.random() < 0.25:
            return data[:start] + mutate.octets(r, body)
        fields = _fields(data[:start])
        for _ in range(r.choice((1, 1, 2))):
            at = r.randrange(len(fields))
            value = fields[at]
            if isinstance(value, int):
                fields[at] = mutate.number(r, value)
            else:
                fields[at] = mutate.octets(r, value, rounds=1)
        if r.random() < 0.15:
            del fields[r.randrange(len(fields))]
        made = b"".join(uleb(f) if isinstance(f, int) else f for f in fields)
        out = uleb(len(made)) + made
        if not coded and r.random() < 0.7:  # as many symbols as the head asks for, which only then are looked at
            with_size = _fitting(out, body, head)
            if with_size is not None:
                return with_size
        return out + (mutate.octets(r, body) if r.random() < 0.2 else body)

    def read(self, way: int, data: bytes) -> tuple[bytes, list[bytes]]:
        if way == CONTENT:
            return super().read(WHOLE, data)
        signal = lossy.decompress_signal(data, max_memory=self.limit, max_output_size=MOST_SIGNAL, ops=NumpyOps())
        if isinstance(signal, Image):
            if signal.pixels.dtype not in (np.uint8, np.uint16) or signal.pixels.ndim != 3:
                raise Wrong("a picture that is none")
        elif signal.samples.dtype != np.float32 or np.isnan(signal.samples).any():
            raise Wrong("samples that are no numbers")
        return b"", []

    def run(self, case: bytes) -> str:
        way, data = case[0], case[1:]
        if way >> WAY == CONTENT:
            return super().run(case)
        if way & BELIEVE and way >> WAY == SIGNAL:
            with replaced(blocks, block_check=lambda *_: Believed()):
                self.read(SIGNAL, data)
            return ANY
        self.read(SIGNAL, data)
        return ANY if way & BELIEVE else RIGHT


def _goal(how: dict[str, Any]) -> dict[str, Any]:
    return {"goal": lossy.Goal(**how)}


def _kind(content: bytes) -> str:
    """Return the kind that a record says it is of."""
    try:
        return "image" if record.Head.parse(content)[0].kind == record.PICTURE else "audio"
    except (CorruptError, UnsupportedError, LimitError):
        return "image"


def _fields(head: bytes) -> list[Any]:
    """Return what a head is made of: numbers that are varints, and stretches of bytes."""
    reader = Reader(head)
    reader.uleb()
    out: list[Any] = [reader.bytes(1), reader.bytes(1), reader.bytes(weights.ID_BYTES)]
    count = reader.uleb()
    out += [count, *(reader.uleb() for _ in range(count))]
    kind = reader.u8()
    out.append(bytes((kind,)))
    if kind == record.PICTURE:
        out += [reader.uleb(), reader.uleb(), reader.bytes(1), reader.bytes(1)]
    else:
        out += [reader.uleb(), reader.uleb(), reader.uleb(), reader.bytes(1)]
        name = reader.bytes(reader.uleb())
        out += [len(name), name, reader.uleb()]
    out += [reader.uleb(), reader.uleb()]
    pieces = reader.uleb()
    out.append(pieces)
    for _ in range(pieces):
        out += [reader.bytes(1), reader.uleb()]
    assert not reader.left()
    return out


def _fitting(head: bytes, body: bytes, before: record.Head) -> bytes | None:
    """Return a record whose symbols are as many as its changed head asks for, or None where that is out of question."""
    try:
        changed, _ = record.Head.parse(head)
        codec = codecs.by_id(changed.codec, changed.model)
        groups, places = changed.groups(codec), changed.places(codec)
        count = 0
        for place in places:
            size = tuple(cut.stop - cut.start for cut in place)
            for kind, shape in codec.layout(size, changed.settings):
                items = kind.itemsize * groups
                for n in shape:
                    items *= int(n)
                count += items
        if not 0 <= count <= 1 << 22:
            return None
        side = sum(length for _, length in changed.side)
        if side > 1 << 20:
            return None
        symbols = body[: before.symbols]
        whole = (symbols * (count // max(1, len(symbols)) + 1))[:count].ljust(count, b"\0")
        more = body[before.symbols :][:side].ljust(side, b"\0")
        return replace(changed, symbols=count).encode() + whole + more
    except Exception:  # the case is then as it is: what is wrong with it shows when it is decoded
        return None


class WallocTarget(LatentsTarget):
    name = "walloc"
    codec = "walloc"


class VqganTarget(LatentsTarget):
    name = "vqgan"
    codec = "vqgan"
    share = 0.7


class HyperpriorTarget(LatentsTarget):
    name = "hyperprior"
    codec = "hyperprior"
    share = 0.5


class GrvqTarget(LatentsTarget):
    name = "grvq"
    codec = "grvq"
    share = 0.7


class LatentModelTarget(Target):
    """Files of latent codecs' weights: the header, the metadata and config, the tensors; then what they decode."""

    name = "weights"
    share = 1.0
    limit = 256 * MEBI

    def prepare(self) -> None:
        self.seeds: list[tuple[dict[str, Any], bytes]] = []
        for data in small_models():
            length = int.from_bytes(data[:8], "little")
            self.seeds.append((json.loads(data[8 : 8 + length]), data[8 + length :]))
            assert self.run(data) == ANY

    def mutation(self, r: Random) -> bytes:
        header, body = r.choice(self.seeds)
        way = r.random()
        if way < 0.35:
            about = dict(header["__metadata__"])
            if r.random() < 0.9:
                config = json.loads(about["config"])
                about["config"] = mutate.to_json(r, mutate.tree(r, config)).decode("utf-8", "replace")
            else:
                about = mutate.tree(r, about)
            header = {**header, "__metadata__": about}
        elif way < 0.55:
            header = json.loads(json.dumps(header))
            names = [name for name in header if name != "__metadata__"]
            for _ in range(r.choice((1, 1, 2))):
                name = r.choice(names)
                entry = header.get(name)
                if entry is None:
                    continue
                what = r.randrange(4)
                if what == 0:
                    entry["dtype"] = r.choice(("F64", "F32", "F16", "BF16", "I8", "U8", "I64", "Q", ["F32"], None, 1))
                elif what == 1:
                    shape = entry["shape"]
                    r.shuffle(shape)
                elif what == 2:
                    del header[name]
                else:
                    header[name] = mutate.tree(r, entry)
        elif way < 0.7:
            header = mutate.tree(r, header)
        else:
            body = mutate.octets(r, body, rounds=r.choice((1, 3, 20))) if way < 0.95 else bytes(len(body))
            body = body[: len(self.seeds[0][1])] if r.random() < 0.01 else body
        text = mutate.to_json(r, header)
        length = len(text) if r.random() < 0.97 else mutate.number(r, len(text))
        return length.to_bytes(8, "little") + text + body

    def run(self, case: bytes) -> str:
        model = weights.unpack(case, "fuzzed.safetensors")
        codec = codecs.codec_of(model, "fuzzed.safetensors")
        size = (20, 24) if codec.kind == "image" else (300,)
        try:
            settings = codec.settings(1)
            kinds = codec.layout(size, settings)
            codec.decode(b"\x12\x34\x56\x78" * 9, size, settings)
        except CorruptError:
            kinds = []
        if not kinds or sum(int(np.prod(shape)) for _, shape in kinds) > 1 << 20:
            return ANY
        symbols = [np.zeros(shape, kind) for kind, shape in kinds]
        with np.errstate(all="ignore"):
            signal = codec.synthesise(symbols, size, settings, NumpyOps())
        if signal.shape[1:] != size:
            raise Wrong("a signal of another size than was asked for")
        return ANY


def small_models() -> list[bytes]:
    """Return the files of small models of every codec with random weights."""
    from models.latent import tiny

    return [tiny.walloc_bytes(2), tiny.walloc_bytes(1), grvq_bytes(), vqgan_bytes(), hyperprior_bytes()]


def grvq_bytes() -> bytes:
    """Return a small model of grvq."""
    from nzip.models.latent.grvq import codec as grvq

    shape = grvq.Shape(
        rate=8000, hop=40, groups=2, layers=2, codes=16, depth=4, bands=8, encoder=8, decoder=12, late=8
    )  # fmt: skip
    random = np.random.default_rng(5)
    slots, size, width = shape.layers * shape.groups, 4 * shape.groups * shape.depth, 6
    prior = grvq.SymbolsPrior(
        random.integers(-128, 128, (slots, size, width)).astype(np.int8),
        random.integers(-900, 900, (shape.layers, slots, width)).astype(np.int32),
        np.arange(slots, dtype=np.int32),
        random.integers(-128, 128, (slots, width, shape.codes)).astype(np.int8),
        random.integers(0, 300, (slots, shape.codes)).astype(np.int32),
        random.integers(-500, 500, (slots, shape.codes)).astype(np.int32),
    )
    tensors = {name: value.astype(np.float16) for name, value in grvq.new_weights(shape, 3).items()}
    books = (shape.layers, shape.groups, shape.codes, shape.depth)
    tensors["codes"] = random.standard_normal(books).astype(np.float16)
    tensors |= prior.tensors()
    return weights.pack(tensors, {"codec": "grvq", "config": json.dumps(shape.described())})


def vqgan_bytes() -> bytes:
    """Return a small model of vqgan, as its own tests have it."""
    from models.latent.test_vqgan import model_bytes

    return model_bytes()


def hyperprior_bytes() -> bytes:
    """Return a small model of hyperprior."""
    from models.latent import tiny

    from nzip.models.latent.hyperprior import training as recipe

    sizes = recipe.Sizes(slices=(3, 5, 184), encoder=8, decoder=8, blocks=1, hyper=4, features=8, width=8)
    start, _ = recipe.beginning([tiny.picture(seed, 64, 96) for seed in range(2)], sizes, 1)
    return recipe.packed(start, sizes.slices, recipe.logistic_tables(), "tiny", {})


TARGETS = [WallocTarget, VqganTarget, HyperpriorTarget, GrvqTarget, LatentModelTarget]
