"""From a lossy file to its picture or sound, or to the latents in it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nzip.codec.blocks import DEFAULT_MAX_MEMORY
from nzip.codec.decompressor import Buffer, Decompressor
from nzip.codec.members import SIGNALS
from nzip.codec.signals import pictures, sounds
from nzip.codec.signals.parts import joined, synthesised
from nzip.codec.signals.records import Record, admit
from nzip.codec.signals.side import Bytes
from nzip.errors import CorruptError, UnsupportedError
from nzip.formats.container.parser import Block, Parser
from nzip.formats.container.structures import STORE_ENGINE, BlockHeader, End, Header
from nzip.formats.signals.audio import write_audio
from nzip.formats.signals.base import Audio, Image
from nzip.formats.signals.images import write_image
from nzip.models.latent import record
from nzip.models.latent.base import LatentCodec, Symbols
from nzip.models.latent.layers import Ops, best_ops
from nzip.models.latent.record import Head
from nzip.outputs import AnyPath
from nzip.registry import ENGINES
from nzip.settings import LATENTS

PIECE = 1 << 16  # bytes that are read at a time
Signal = Image | Audio


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
    if first.engine not in (STORE_ENGINE, ENGINES.by_name(LATENTS.engine).id) or first.transforms:
        raise CorruptError("the first block of a lossy file is coded by an engine that does not keep its head")
    head, start = Head.parse(payload[: record.MAX_HEAD + 2])
    total = admit(head, start, first.raw_size, max_memory, max_output_size, signal=signal)
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
        return _together(found.head, found.codec, found.parts(), found.side, ops or best_ops())
    except ValueError as error:
        raise CorruptError(f"the latents are none that a signal gives ({error})") from None


def _together(head: Head, codec: LatentCodec, symbols: Iterator[Symbols], side: list[Bytes], ops: Ops) -> Signal:
    sizes = record.sizes(head, codec)
    made = (synthesised(codec, part, size, head.settings, ops) for part, size in zip(symbols, sizes, strict=True))
    pieces = joined(head, codec, made)
    more = {kind: data for (kind, _), data in zip(head.side, side, strict=True)}
    if head.kind == record.PICTURE:
        return pictures.together(head, pieces, more)
    return sounds.together(head, codec, pieces, more)


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
