"""Lossy pictures and sounds: a signal through a latent codec into one member of an nzip file, and back.

The member's content is a `record`: its symbols are coded by engine `latents`, what must stay exact (an alpha channel,
a colour profile) by engine `cm`. Entropy decoding, checks and limits are those of every member. The signal that is
made of the symbols is the only thing that machines may differ in, in its last digits.
"""

from __future__ import annotations

import io
import itertools
import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, cast

import numpy as np
import xxhash
from numpy.typing import NDArray

from nzip.codec.blocks import DEFAULT_MAX_MEMORY, Coding, encode_block
from nzip.codec.decompressor import Buffer, Decompressor
from nzip.codec.inspect import BlockInfo
from nzip.codec.members import SIGNALS
from nzip.errors import CorruptError, LimitError, UnsupportedError
from nzip.formats.container import MAX_BLOCK, STORE_ENGINE, Block, BlockHeader, End, Header, IndexEntry, Parser
from nzip.formats.signals import extras
from nzip.formats.signals.audio import write_audio
from nzip.formats.signals.base import MAX_CHANNELS, MOST_PIXELS, PICTURES, SOUNDS, Audio, Image
from nzip.formats.signals.images import write_image
from nzip.formats.signals.resample import resample
from nzip.models.latent import codecs, record
from nzip.models.latent.codecs import LatentCodec, Settings, Symbols
from nzip.models.latent.layers import Ops, best_ops
from nzip.models.latent.record import Head
from nzip.registry import ENGINES

Signal = Image | Audio
Floats = NDArray[np.float32]
AnyPath = str | os.PathLike[str]
Bytes = bytes | bytearray | memoryview

PIECE = 1 << 16  # bytes that are read at a time

DEFAULT_QUALITY = 60
# Larger signals are cut, so that memory stays small: by more samples than the first into parts of about the second.
TILES = {record.PICTURE: (record.LARGEST[record.PICTURE], 1536), record.SOUND: (record.LARGEST[record.SOUND], 1 << 22)}
PART_MEMORY = 3 << 29  # bytes that a part should not need more of: it is cut smaller where its codec would
FIXED = 160 << 20  # bytes of memory of a model, and of what networks and kernels need
STRIP = 1 << 18  # samples that become pixels or the sound's at a time
REFINED = ("vqgan",)  # codecs that can search at encoding
SPEECH_RATE = 8.0  # kbit/s a channel below which sounds go to the codec for speech


@dataclass(frozen=True)
class Goal:
    """What a lossy file is to be like; one of these at most.

    Attributes:
        quality: 1 to 100.
        bpp: bits a pixel, at most.
        kbps: kbit a second of sound, at most.
        psnr: decibels, at least.
    """

    quality: int | None = None
    bpp: float | None = None
    kbps: float | None = None
    psnr: float | None = None

    def check(self, kind: str) -> None:
        """Refuse what does not go together.

        Raises:
            ValueError: more than one is given, one is out of range, or does not go with pictures or sounds.
        """
        given = [name for name in ("quality", "bpp", "kbps", "psnr") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other; give one")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise ValueError(f"quality {self.quality} is not in 1..100")
        for name in given:
            if name != "quality" and not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} {getattr(self, name)} is not a positive number")
        if self.bpp is not None and kind == "audio":
            raise ValueError("bpp is for pictures; say kbps for sounds")
        if self.kbps is not None and kind == "image":
            raise ValueError("kbps is for sounds; say bpp for pictures")


@dataclass(frozen=True)
class Encoded:
    """A lossy file.

    Attributes:
        data: its bytes.
        codec: the codec's name.
        settings: the codec's.
        raw_size: bytes of the record.
        psnr: decibels, where it was asked for.
    """

    data: bytes
    codec: str
    settings: Settings
    raw_size: int
    psnr: float | None = None


def compress_signal(
    signal: Signal,
    *,
    codec: str | None = None,
    model: AnyPath | None = None,
    quality: int | None = None,
    bpp: float | None = None,
    kbps: float | None = None,
    psnr: float | None = None,
    refine: int = 0,
) -> bytes:
    """Return a picture or sound as a lossy nzip file of one member.

    Args:
        signal: what `read_signal` gives, or made by hand.
        codec: "walloc", "vqgan", "hyperprior" (pictures), "walloc", "grvq" (sounds); left out, one that fits.
        model: path or name of a model of that codec; its usual one where left out.
        quality: 1 to 100; 60 where nothing is asked for.
        bpp: the best quality of at most so many bits a pixel.
        kbps: the best quality of at most so many kbit a second.
        psnr: the smallest file of at least so many decibels.
        refine: rounds of a search for a better code at about the same size, with the codec vqgan; the file is as any
            other. It takes torch and seconds to minutes; 50 are plenty.

    Raises:
        ValueError: an argument is out of range, or does not go with such a signal, or with another.
        LimitError: no quality gives what was asked for.
        UnsupportedError: the codec's model is not here.
    """
    return encode_signal(signal, codec=codec, model=model, goal=Goal(quality, bpp, kbps, psnr), refine=refine).data


def encode_signal(
    signal: Signal,
    *,
    codec: str | None = None,
    model: AnyPath | None = None,
    goal: Goal | None = None,
    refine: int = 0,
    fields: dict[str, Any] | None = None,
    ops: Ops | None = None,
) -> Encoded:
    """Do what `compress_signal` does, and say more.

    Args:
        signal, codec, model, refine: as there.
        goal: what is asked for.
        fields: name, mode and time for the header.
        ops: layers to work with.
    """
    kind = "image" if isinstance(signal, Image) else "audio"
    goal = goal or Goal()
    goal.check(kind)
    name = codec or _usual(signal, goal)
    chosen, model_id = codecs.by_name(name, kind, model)
    _check_refine(refine, goal, name)
    ops = ops or best_ops()
    head, groups, side = _dismantle(signal, chosen, model_id)
    head = replace(head, codec=codecs.CODECS[name].id, tile=_tile(head, chosen))
    parts = _cut(head, chosen, groups)
    found: dict[tuple[Settings, int], Encoded] = {}

    def at(quality: int, rounds: int = 0) -> Encoded:
        settings = chosen.settings(quality)
        if (settings, rounds) not in found:
            with np.errstate(all="ignore"):  # of a model that makes no numbers; see `_synthesised`
                symbols = [chosen.analyse(part, settings, ops) for part in parts]
            if rounds:
                better = cast(codecs.RefiningCodec, chosen).refined
                symbols = [better(part, s, settings, rounds) for part, s in zip(parts, symbols, strict=True)]
            error = None
            if goal.psnr is not None:
                back = [
                    _synthesised(chosen, s, part.shape[1:], settings, ops)
                    for s, part in zip(symbols, parts, strict=True)
                ]
                error = _psnr(parts, back, kind)
            data, raw_size = _member(replace(head, settings=settings), symbols, side, fields or {}, kind)
            found[settings, rounds] = Encoded(data, name, settings, raw_size, error)
        return found[settings, rounds]

    if goal.psnr is not None:
        wanted = goal.psnr
        best = _search(at, lambda one: (one.psnr or math.inf) < wanted)
        if best > 100:
            most = at(100).psnr or 0.0
            raise LimitError(f"the codec {name} gives {most:.2f} dB at most here; ask for less, or take another codec")
        return at(best)
    limit = _limit(signal, goal)
    if limit is None:
        return at(goal.quality or DEFAULT_QUALITY, refine)
    best = _search(at, lambda one: len(one.data) <= limit) - 1
    if best < 1:
        least, kept = len(at(1).data), sum(map(len, side))
        more = f" ({kept:,} of them before compression for what is kept exactly)" if kept else ""
        raise LimitError(f"the codec {name} needs {least:,} bytes at least{more} and {limit:,} are allowed; allow more")
    # What was refined may be a little larger, so it may take a step or two down.
    while refine and best > 1 and len(at(best, refine).data) > limit:
        best = max(q for q in range(1, best) if chosen.settings(q) != chosen.settings(best) or q == 1)
    return at(best, refine) if len(at(best, refine).data) <= limit else at(best)


def _check_refine(refine: int, goal: Goal, name: str) -> None:
    """Refuse rounds that do not go with what is asked for.

    Raises:
        ValueError: so it is.
    """
    if refine < 0:
        raise ValueError(f"refine is a number of rounds from 0 on, not {refine}")
    if refine and name not in REFINED:
        raise ValueError(f"the codec {name} has nothing to refine; leave refine out, or take {' or '.join(REFINED)}")
    if refine and goal.psnr is not None:
        raise ValueError("refine is not for decibels; leave out refine or psnr")


def _search(at: Callable[[int], Encoded], goes_on: Callable[[Encoded], bool]) -> int:
    """Return the first quality at which `goes_on` no longer holds, 101 where it holds to the end."""
    low, high = 1, 101
    while low < high:
        middle = (low + high) // 2
        if goes_on(at(middle)):
            low = middle + 1
        else:
            high = middle
    return low


def _usual(signal: Signal, goal: Goal) -> str:
    if isinstance(signal, Audio) and goal.kbps is not None and goal.kbps <= SPEECH_RATE * len(signal.samples):
        return "grvq" if 8000 <= signal.rate <= 1 << 18 else "walloc"
    return "walloc"


def _near(sound: Audio, codec: LatentCodec) -> bool:
    """Return whether the format lets a codec have such a sound."""
    least, most = codec.rate / record.MAX_RATIO, codec.rate * record.MAX_RATIO
    return not codec.rate or least <= sound.rate <= most


def _limit(signal: Signal, goal: Goal) -> int | None:
    """Return the bytes that a file may have."""
    if isinstance(signal, Image):
        pixels = signal.pixels.shape[0] * signal.pixels.shape[1]
        return None if goal.bpp is None else int(goal.bpp * pixels / 8)
    seconds = signal.samples.shape[1] / signal.rate
    return None if goal.kbps is None else int(goal.kbps * 1000 * seconds / 8)


def _psnr(parts: list[Floats], back: list[Floats], kind: str) -> float:
    """Return decibels below full scale, which is 1 from end to end for pictures and 1 for sounds."""
    if not parts:
        return math.inf
    squares = sum(float(np.sum((a.astype(np.float64) - b) ** 2)) for a, b in zip(parts, back, strict=True))
    error = squares / sum(part.size for part in parts)
    return math.inf if error == 0 else -10 * math.log10(error) + (6.02 if kind == "audio" else 0.0)


def psnr(signal: Signal, data: Buffer) -> float | None:
    """Return decibels between a picture or sound and what comes back of its lossy file; None where that is too large.

    Pictures are compared without their alpha channel, which is exact.
    """
    try:
        back = decompress_signal(data)
    except LimitError:
        return None
    if isinstance(signal, Image) and isinstance(back, Image):
        colours = 3 if signal.pixels.shape[2] >= 3 else 1
        ours, theirs = (each.pixels[:, :, :colours].astype(np.float32) for each in (signal, back))
        most = np.float32(np.iinfo(signal.pixels.dtype).max)
        return _psnr([ours / most], [theirs / most], "image")
    assert isinstance(signal, Audio)
    assert isinstance(back, Audio)
    return _psnr([np.asarray(signal.samples, np.float32)], [back.samples], "audio") if back.samples.size else None


def stripped(signal: Signal) -> Signal:
    """Return a signal without what is not pixels or samples: colour profile, EXIF, tags."""
    if isinstance(signal, Image):
        return replace(signal, profile=b"", exif=b"", xmp=b"", dpi=None, chunks=())
    return replace(signal, extra={}, chunks=())


# A signal taken apart, and put together again.


def _dismantle(signal: Signal, codec: LatentCodec, model_id: str) -> tuple[Head, list[Floats], list[bytes]]:
    """Return a head without settings, the parts that the codec takes, and the side data."""
    if isinstance(signal, Image):
        return _dismantle_picture(signal, model_id)
    return _dismantle_sound(signal, codec, model_id)


def _dismantle_picture(picture: Image, model_id: str) -> tuple[Head, list[Floats], list[bytes]]:
    pixels = picture.pixels
    if pixels.ndim != 3 or not 1 <= pixels.shape[2] <= 4 or 0 in pixels.shape:
        raise ValueError(f"a picture of the shape {pixels.shape} is none; pixels are (height, width, 1 to 4)")
    deep = pixels.dtype == np.uint16
    if pixels.dtype not in (np.uint8, np.uint16) or (deep and pixels.shape[2] != 1):
        raise ValueError(f"pixels are uint8, or uint16 of one channel, and not {pixels.dtype} of {pixels.shape[2]}")
    height, width, channels = pixels.shape
    if height * width > MOST_PIXELS:
        raise LimitError(f"{height * width:,} pixels; the limit is {MOST_PIXELS:,}: cut the picture in parts")
    colour = pixels[:, :, : 3 if channels >= 3 else 1].transpose(2, 0, 1)
    part = colour.astype(np.float32) / np.float32(65535 if deep else 255) - np.float32(0.5)
    side = []
    if channels in (2, 4):
        side.append((record.ALPHA, np.ascontiguousarray(pixels[:, :, -1]).tobytes()))
    tags = {"dpi": " ".join(map(repr, map(float, picture.dpi)))} if picture.dpi else {}
    more = {
        record.PROFILE: picture.profile, record.EXIF: picture.exif, record.XMP: picture.xmp,
        record.TAGS: _json(tags), record.CHUNKS: extras.packed(picture.chunks),
    }  # fmt: skip
    side += [(kind, data) for kind, data in more.items() if data]
    format_ = PICTURES.index(picture.format) if picture.format in PICTURES else 0
    head = Head(
        0, model_id, (), record.PICTURE, (height, width), channels, deep, format_,
        side=tuple((kind, len(data)) for kind, data in side),
    )  # fmt: skip
    return head, [np.ascontiguousarray(np.broadcast_to(part, (3, height, width)))], [data for _, data in side]


def _tile(head: Head, codec: LatentCodec) -> int:
    """Return the distance of the parts of a signal, 0 where it stays whole."""
    size, (large, tile) = head.coded_size(codec), TILES[head.kind]
    overlap, least = record.OVERLAP[head.kind], record.LEAST_TILE[head.kind]

    def fits(part: tuple[int, ...]) -> bool:
        return codec.memory(part, codec.settings(100)) <= PART_MEMORY

    if record.area(head.kind, size) <= large and (0 in size or fits(size)):
        return 0

    def part() -> tuple[int, ...]:
        return tuple(min(n, tile + overlap) for n in size)

    while tile // 2 >= least and not fits(part()):
        tile //= 2
    # A line of pixels has few to each part; it may have longer ones.
    while math.prod(-(-n // tile) for n in size) * max(1, head.groups(codec)) > record.MAX_PARTS:
        tile *= 2
    return tile


def _cut(head: Head, codec: LatentCodec, groups: list[Floats]) -> list[Floats]:
    """Return the parts of each group."""
    places = head.places(codec) if groups else []
    return [np.ascontiguousarray(group[(slice(None), *place)]) for group in groups for place in places]


def _joined(head: Head, codec: LatentCodec, parts: Iterator[Floats]) -> Iterator[tuple[int, int, Floats]]:
    """Give the groups in pieces along their first axis, as soon as their parts are there.

    Where two parts overlap, one fades into the other.

    Args:
        head: of the record.
        codec: its codec.
        parts: what the parts of each group became, in order.

    Yields:
        The number of the group, where the piece begins, and the piece.
    """
    size, overlap = head.coded_size(codec), record.OVERLAP[head.kind]
    for group in range(head.groups(codec)):
        before: Floats | None = None  # what the last parts leave for the next
        for start, row in itertools.groupby(head.places(codec), key=lambda place: place[0].start):
            here = list(row)
            stop = here[0][0].stop
            if len(here) == 1 and (start, stop) == (0, size[0]):
                yield group, 0, next(parts)
                continue
            whole = np.zeros((codec.channels, stop - start, *size[1:]), np.float32)
            for place in here:
                whole[(slice(None), slice(None), *place[1:])] += _faded(next(parts), place, size, overlap)
            if before is not None:
                whole[:, :overlap] += before
            done = stop if stop == size[0] else stop - overlap
            before = whole[:, done - start :].copy()
            yield group, start, whole[:, : done - start]


def _faded(share: Floats, place: tuple[slice, ...], size: tuple[int, ...], overlap: int) -> Floats:
    """Return a part that fades in and out where it lies over another."""
    ramp = (np.arange(overlap, dtype=np.float32) + np.float32(0.5)) / overlap
    for axis, (cut, length) in enumerate(zip(place, size, strict=True), 1):
        weight = np.ones(cut.stop - cut.start, np.float32)
        if cut.start:
            weight[:overlap] = ramp[: len(weight)]
        if cut.stop < length:
            weight[-overlap:] *= ramp[::-1]
        share = share * weight.reshape([-1 if k == axis else 1 for k in range(share.ndim)])
    return share


def _dismantle_sound(sound: Audio, codec: LatentCodec, model_id: str) -> tuple[Head, list[Floats], list[bytes]]:
    samples = np.asarray(sound.samples, np.float32)
    if samples.ndim != 2 or not 1 <= len(samples) <= MAX_CHANNELS:
        raise ValueError(f"a sound of the shape {samples.shape} is none; samples are (1 to 64 channels, time)")
    if not 1 <= sound.rate <= record.MAX_RATE:
        raise ValueError(f"a sound of {sound.rate:,} samples a second; a rate is 1 to {record.MAX_RATE:,}: resample it")
    if not _near(sound, codec):
        raise ValueError(
            f"a sound of {sound.rate:,} samples a second is too far from the {codec.rate:,} of the codec {codec.name}; "
            "take another codec, or resample it"
        )
    if not np.isfinite(samples).all():
        raise ValueError("the sound has samples that are no numbers; mend it first")
    peak = float(np.abs(samples).max(initial=0.0))
    exponent = max(0, math.frexp(peak)[1]) if peak > 1 else 0
    if exponent > record.MAX_EXPONENT:
        raise ValueError(f"the sound's peak is {peak:g}, far beyond full scale; make it lower first")
    samples = samples * np.float32(2.0**-exponent)
    more = {record.TAGS: _json(sound.extra), record.CHUNKS: extras.packed(sound.chunks)}
    side = [(kind, data) for kind, data in more.items() if data]
    head = Head(
        0, model_id, (), record.SOUND, (samples.shape[1],), len(samples),
        format=SOUNDS.index(sound.format) if sound.format in SOUNDS else 0, rate=sound.rate, subtype=sound.subtype,
        exponent=exponent, side=tuple((kind, len(data)) for kind, data in side),
    )  # fmt: skip
    parts = []
    size = head.coded_size(codec)
    for start in range(0, len(samples) if head.groups(codec) else 0, codec.channels):
        part = samples[start : start + codec.channels]
        part = np.pad(part, ((0, codec.channels - len(part)), (0, 0)), mode="edge")  # one channel: taken twice
        if codec.rate:
            part = resample(part, sound.rate, codec.rate)
        parts.append(np.ascontiguousarray(part[:, : size[0]]))
    return head, parts, [data for _, data in side]


def _json(tags: dict[str, str]) -> bytes:
    return json.dumps(dict(sorted(tags.items())), separators=(",", ":")).encode() if tags else b""


def _assemble(head: Head, codec: LatentCodec, symbols: Iterator[Symbols], side: list[Bytes], ops: Ops) -> Signal:
    sizes = record.sizes(head, codec)
    made = (_synthesised(codec, part, size, head.settings, ops) for part, size in zip(symbols, sizes, strict=True))
    pieces = _joined(head, codec, made)
    more = {kind: data for (kind, _), data in zip(head.side, side, strict=True)}
    if head.kind == record.PICTURE:
        return _picture(head, pieces, more)
    return _sound(head, codec, pieces, more)


def _synthesised(codec: LatentCodec, symbols: Symbols, size: tuple[int, ...], settings: Settings, ops: Ops) -> Floats:
    """Return what a codec makes of symbols.

    Raises:
        CorruptError: its model has weights that make no numbers.
    """
    with np.errstate(all="ignore"):
        made = codec.synthesise(symbols, size, settings, ops)
    if not np.isfinite(made).all():
        raise CorruptError(f"the model of the codec {codec.name} makes values that are no numbers; get its file again")
    return made


def _sound(head: Head, codec: LatentCodec, pieces: Iterator[tuple[int, int, Floats]], more: dict[int, Bytes]) -> Audio:
    samples = np.zeros((head.channels, head.size[0]), np.float32)
    for group, found in itertools.groupby(pieces, key=lambda piece: piece[0]):
        rows = samples[group * codec.channels : (group + 1) * codec.channels]
        if not codec.rate:
            for _, start, piece in found:
                rows[:, start : start + piece.shape[1]] = piece[: len(rows)]
            continue
        whole = np.empty((codec.channels, *head.coded_size(codec)), np.float32)
        for _, start, piece in found:
            whole[:, start : start + piece.shape[1]] = piece
        part = resample(whole[: len(rows)], codec.rate, head.rate)
        length = min(rows.shape[1], part.shape[1])
        rows[:, :length] = part[:, :length]
    # Integers cannot go beyond full scale; files in floating point could and may.
    np.clip(samples, -1, 1, out=samples)
    samples *= np.float32(2.0**head.exponent)
    return Audio(samples, head.rate, SOUNDS[head.format], head.subtype, _tags(more), _chunks(more))


def _chunks(more: dict[int, Bytes]) -> extras.Chunks:
    return extras.unpacked(bytes(more.get(record.CHUNKS, b"")))


def _tags(more: dict[int, Bytes]) -> dict[str, str]:
    try:
        tags = json.loads(bytes(more[record.TAGS])) if record.TAGS in more else {}
        return {str(key): str(value) for key, value in tags.items()}
    except (ValueError, AttributeError, RecursionError):
        raise CorruptError("the tags of a picture or sound are damaged") from None


def _picture(head: Head, pieces: Iterator[tuple[int, int, Floats]], more: dict[int, Bytes]) -> Image:
    kind, most = (np.uint16, 65535) if head.deep else (np.uint8, 255)
    height, width = head.size
    colours = 3 if head.channels >= 3 else 1
    pixels = np.empty((height, width, head.channels), kind)
    if head.channels in (2, 4):
        pixels[:, :, -1] = np.frombuffer(more[record.ALPHA], np.uint8).reshape(height, width)
    rows = max(1, STRIP // width)
    for _, start, piece in pieces:
        for at in range(0, piece.shape[1], rows):
            part = piece[:, at : at + rows]
            colour = part.mean(axis=0, keepdims=True) if colours == 1 else part
            values = np.clip(np.rint((colour.transpose(1, 2, 0) + np.float32(0.5)) * np.float32(most)), 0, most)
            pixels[start + at : start + at + part.shape[1], :, :colours] = values
    try:
        across, down = (float(value) for value in _tags(more).get("dpi", "0 0").split())
    except ValueError:
        raise CorruptError("the tags of a picture or sound are damaged") from None
    profile, exif, xmp = (bytes(more.get(kind, b"")) for kind in (record.PROFILE, record.EXIF, record.XMP))
    dpi = (across, down) if 0 < across < 1e9 and 0 < down < 1e9 else None
    return Image(pixels, PICTURES[head.format], profile, exif, xmp, dpi, _chunks(more))


# The member.


def _member(
    head: Head, symbols: list[Symbols], side: list[bytes], fields: dict[str, Any], kind: str
) -> tuple[bytes, int]:
    """Return a member's bytes, and those of its content."""
    data = record.to_bytes(symbols)
    first = replace(head, symbols=len(data)).encode() + data
    if len(first) > MAX_BLOCK:
        raise LimitError(f"the latents have {len(first):,} bytes; the limit is {MAX_BLOCK:,}: cut the signal in parts")
    rest = b"".join(side)
    blocks = [(first, Coding("latents", {}, transforms=False))]
    blocks += [(rest[at : at + MAX_BLOCK], Coding("cm", {})) for at in range(0, len(rest), MAX_BLOCK)]
    chunks = [encode_block(raw, coding) for raw, coding in blocks]
    start = Header(solo=len(chunks) == 1, kind=kind, **fields).encode()
    if len(chunks) == 1:
        return start + chunks[0], len(first)
    entries = tuple(IndexEntry(0, len(chunk), len(raw)) for chunk, (raw, _) in zip(chunks, blocks, strict=True))
    whole = xxhash.xxh3_64(first)
    whole.update(rest)
    end = End(len(start), entries, 0, whole.intdigest()).encode()
    return start + b"".join(chunks) + end, len(first) + len(rest)


@dataclass(frozen=True)
class Record:
    """What a lossy member holds, once its head was found to be possible and within limits.

    Attributes:
        head: as it stands at the start.
        codec: that it names.
        symbols: of all parts, as bytes.
        side: data of each piece.
    """

    head: Head
    codec: LatentCodec
    symbols: Bytes
    side: list[Bytes]

    @classmethod
    def parse(cls, content: Bytes) -> Record:
        """Return the record that is a member's content.

        Raises:
            CorruptError, UnsupportedError: it is none, or its codec or model is not here.
        """
        head, start = Head.parse(bytes(content[: record.MAX_HEAD + 2]))
        codec = codecs.by_id(head.codec, head.model)
        at = start + head.symbols
        if len(content) != at + sum(length for _, length in head.side):
            raise CorruptError("a record of latents has another size than its head states")
        view = memoryview(content)
        ends = [at, *itertools.accumulate((length for _, length in head.side), initial=at)][1:]
        side: list[Bytes] = [view[a:b] for a, b in itertools.pairwise(ends)]
        return cls(head, codec, view[start:at], side)

    def parts(self) -> Iterator[Symbols]:
        """Give the symbols of each part."""
        return record.from_bytes(self.symbols, self.head, self.codec)


def memory_needed(head: Head, codec: LatentCodec, start: int, *, signal: bool = True) -> int:
    """Return the bytes of memory that the signal of a record needs, a bound; or its latents alone.

    Args:
        head: of the record.
        codec: that it names.
        start: bytes of the head.
        signal: whether the signal is made.

    Raises:
        CorruptError: there is no such signal.
    """
    largest = max(set(record.sizes(head, codec)), key=math.prod, default=None)
    part = 0 if largest is None else codec.memory(largest, head.settings)
    sizes = FIXED + 2 * (start + head.symbols) + sum(length for _, length in head.side)
    if not signal:
        return sizes + part + 2 * head.symbols
    size = head.coded_size(codec)
    if head.kind == record.PICTURE:
        # A band of parts, what lies over the next, and what is made of it; then the pixels, and the file of them.
        band = 4 * 3 * size[1] * min(size[0], head.tile + 2 * record.OVERLAP[head.kind] if head.tile else size[0])
        made = 2 * band + 32 * max(STRIP, size[1]) + 3 * head.output_size
    else:
        group = 4 * codec.channels * size[0]
        other = 2 * head.output_size // head.channels * codec.channels if codec.rate else 0
        made = 2 * group + other + 2 * head.output_size
    return sizes + part + made


def _admit(
    head: Head, start: int, raw_size: int, max_memory: int, max_output_size: int | None, *, signal: bool
) -> int:
    """Check a record's head before its symbols are decoded; return the bytes of the whole record.

    Raises:
        CorruptError, UnsupportedError: it cannot be one, or its codec or model is not here.
        LimitError: it needs more than is allowed.
    """
    if raw_size != start + head.symbols:
        raise CorruptError("the first block of a lossy file holds something other than a head and its symbols")
    out = head.output_size if signal else head.symbols
    if max_output_size is not None and out > max_output_size:
        raise LimitError(f"it makes {out:,} bytes and the limit is {max_output_size:,} (max_output_size); raise it")
    total = start + head.symbols + sum(length for _, length in head.side)
    _within(max_memory, FIXED + total + out, "at least ")  # before the model is read, which takes memory as well
    codec = codecs.by_id(head.codec, head.model)
    _within(max_memory, memory_needed(head, codec, start, signal=signal))
    return total


def _within(max_memory: int, needed: int, least: str = "") -> None:
    if needed > max_memory:
        raise LimitError(
            f"decoding needs {least}{needed / 1048576:,.0f} MiB of memory and the limit is "
            f"{max_memory / 1048576:,.0f} MiB; raise it (-M {-(-needed // 1048576)}M, or max_memory)"
        )


def receive(
    read: Callable[[int], bytes],
    *,
    begin: bytes = b"",
    max_memory: int = DEFAULT_MAX_MEMORY,
    max_output_size: int | None = None,
    signal: bool = True,
    progress: Callable[[int], Any] | None = None,
    prepare: Callable[[BlockHeader], None] | None = None,
) -> Record:
    """Return the record in a lossy file; nothing is decoded before its head was checked against the limits.

    Args:
        read: gives the next bytes of the file, at most as many as asked for.
        begin: bytes that were read already.
        max_memory: most bytes of memory for all that is done.
        max_output_size: most bytes of pixels or samples; of symbols where no signal is made.
        signal: whether the signal will be made.
        progress: told the bytes of the record so far.
        prepare: called with the first block's header before it is decoded.

    Raises:
        CorruptError, UnsupportedError, LimitError: as `decompress`; also where the file is no lossy one.
    """
    found: list[BlockHeader] = []
    peek = Parser(found.append)
    taken, fresh = bytearray(), begin
    while True:
        taken += fresh
        peek.feed(fresh)
        event = peek.next()
        while isinstance(event, Header):
            event = peek.next()
        if peek.header is not None and peek.header.kind not in SIGNALS:
            raise UnsupportedError("is no lossy picture or sound; decompress it as a file")
        # The payloads of both engines that a first block may have begin with the head.
        payload = event.payload if isinstance(event, Block) else peek.unused if found else b""
        if found and len(payload) >= min(found[0].payload_size, record.MAX_HEAD + 2):
            break
        fresh = read(PIECE)
        if not fresh or isinstance(event, End):
            raise peek.truncated()
    first = found[0]
    if first.engine not in (STORE_ENGINE, ENGINES.by_name("latents").id) or first.transforms:
        raise CorruptError("the first block of a lossy file is coded by an engine that does not keep its head")
    head, start = Head.parse(payload[: record.MAX_HEAD + 2])
    total = _admit(head, start, first.raw_size, max_memory, max_output_size, signal=signal)
    if prepare is not None and first.memory <= max_memory:
        prepare(first)
    del peek, event, payload
    content = bytearray()
    with Decompressor(max_memory=max_memory - total + first.raw_size) as member:
        fresh = bytes(taken)
        del taken
        while not member.eof:
            content += member.decompress(fresh)
            if len(content) > total:
                raise CorruptError("a record of latents has another size than its head states")
            if progress is not None:
                progress(len(content))
            fresh = b"" if member.eof else read(PIECE)
            if not fresh and not member.eof:
                member.end_input()
        if member.unused_data or read(1):
            raise UnsupportedError("holds more than one picture or sound; take it apart first")
    return Record.parse(content)


def signal_of(content: bytes | Record, ops: Ops | None = None) -> Signal:
    """Return the picture or sound that a record, the content of a lossy member, stands for.

    Raises:
        CorruptError: it is damaged.
        UnsupportedError: its codec or model is not here.
    """
    found = content if isinstance(content, Record) else Record.parse(content)
    try:
        return _assemble(found.head, found.codec, found.parts(), found.side, ops or best_ops())
    except ValueError as error:
        raise CorruptError(f"the latents are none that a signal gives ({error})") from None


def decompress_signal(
    data: Buffer,
    *,
    max_memory: int = DEFAULT_MAX_MEMORY,
    max_output_size: int | None = None,
    ops: Ops | None = None,
) -> Signal:
    """Return the picture or sound in a lossy nzip file.

    Args:
        data: the whole file.
        max_memory: most bytes of memory for decoding and for making the signal.
        max_output_size: most bytes of its pixels or samples; None for no limit.
        ops: layers to work with; torch's where it is installed, else numpy's.

    Raises:
        CorruptError, UnsupportedError, LimitError: as `decompress`; also where the file is no lossy one.
    """
    file = io.BytesIO(data)
    return signal_of(receive(file.read, max_memory=max_memory, max_output_size=max_output_size), ops)


def latents(
    source: AnyPath | BinaryIO, *, max_memory: int = DEFAULT_MAX_MEMORY, max_output_size: int | None = None
) -> NDArray[Any]:
    """Return the latents in a lossy nzip file, without making the signal: for learning on compressed data.

    Args:
        source: path of the file, or a binary stream.
        max_memory: most bytes of memory.
        max_output_size: most bytes of latents; None for no limit.

    Returns:
        The codec's integers, the same on every machine; the largest array where it has several: walloc int8 (Z, h, w)
        or (Z, t), vqgan's and grvq's indices, hyperprior's rounded latents. A sound that was cut in several parts has
        them along a first axis.

    Raises:
        CorruptError, UnsupportedError, LimitError: as `decompress`; also where the file is no lossy one, or a signal so
            large that it was cut in parts of several sizes.
        OSError: it cannot be read.
    """
    limits: dict[str, Any] = {"max_memory": max_memory, "max_output_size": max_output_size, "signal": False}
    if isinstance(source, str | os.PathLike):
        with open(source, "rb") as file:
            found = receive(file.read, **limits)
    else:
        found = receive(source.read, **limits)
    head, codec, parts = found.head, found.codec, list(found.parts())
    if not parts:
        kind, shape = codec.layout(head.coded_size(codec), head.settings)[0]
        return np.zeros((shape[0], *[0] * (len(shape) - 1)), kind)
    main = [max(part, key=lambda array: array.size) for part in parts]
    if len(main) == 1:
        return main[0]
    if len({array.shape for array in main}) > 1:
        raise UnsupportedError("is cut in parts of several sizes; take smaller pictures, or shorter sounds")
    return np.stack(main)


def format_of(head: Head) -> str:
    """Return the name of the format that a picture or sound had."""
    return (PICTURES if head.kind == record.PICTURE else SOUNDS)[head.format]


def describe(path: AnyPath, block: BlockInfo) -> dict[str, Any]:
    """Return what the head of a record says, without decoding its symbols.

    Args:
        path: of the file.
        block: the member's first block.

    Returns:
        `signal` ("image" or "audio"), `size` (height, width; or samples), `channels`, `rate`, `bits`, `format` of the
        original, `codec`, `settings`, `model` (its id), `here` (whether the model is), `side` (bytes of side data).

    Raises:
        CorruptError, UnsupportedError: there is no head that can be read.
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        file.seek(block.offset + block.size - block.payload_size)
        head, _ = Head.parse(file.read(min(block.payload_size, record.MAX_HEAD + 2)))
    picture = head.kind == record.PICTURE
    names = {entry.id: name for name, entry in codecs.CODECS.items()}
    return {
        "signal": "image" if picture else "audio",
        "size": list(head.size),
        "channels": head.channels,
        "rate": head.rate or None,
        "bits": (16 if head.deep else 8) if picture else None,
        "format": format_of(head),
        "codec": names.get(head.codec, f"codec {head.codec}"),
        "settings": list(head.settings),
        "model": head.model,
        "here": codecs.is_here(head.codec, head.model),
        "side": sum(length for _, length in head.side),
    }


def to_file(signal: Signal, format: str = "", *, strip: bool = False) -> bytes:
    """Return a picture or sound as the bytes of a file, in its own format or in another.

    Args:
        signal: the picture or sound.
        format: pillow's or libsndfile's name; the signal's own where it is left out.
        strip: leave out what the format does not hold besides pixels or samples.

    Raises:
        UnsupportedError: the format cannot hold it.
    """
    out = io.BytesIO()
    if isinstance(signal, Image):
        write_image(signal, out, format, strip=strip)
    else:
        write_audio(signal, out, format, strip=strip)
    return out.getvalue()
