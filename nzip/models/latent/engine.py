"""Engine `latents`: a record's head and symbols, coded by the prior of the codec that made them.

The block is a `record` without its side data. The payload is the head as it is, then each part's code, all but the
last with its length before it. The codec and its model are named by the head; the priors are integers, so every
machine decodes the same symbols.
"""

from __future__ import annotations

from nzip.errors import CorruptError, NzipError
from nzip.formats.container import Reader, uleb
from nzip.formats.content.kinds import Content
from nzip.models.base import Engine
from nzip.models.latent import codecs, record
from nzip.params import Parameters, Params

FIXED = 160 << 20  # a model's weights and priors, and what kernels need
PER_BYTE = 72  # the prior of `hyperprior` is a network of its own; the others need less


class LatentsEngine(Engine):
    """Codes the symbols of lossy pictures and sounds."""

    name = "latents"
    id = 7
    version = 1
    parameters = Parameters("engine latents")

    def memory(self, params: Params, size: int) -> int:
        return FIXED + PER_BYTE * size

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        try:
            head, start = record.Head.parse(block)
            codec = codecs.by_id(head.codec, head.model)
            parts = record.from_bytes(block[start:], head, codec)
            coded = [codec.encode(symbols, head.settings) for symbols in parts]
        except (NzipError, ValueError):
            return block  # no record, or one that no signal gives: it will be stored
        return block[:start] + b"".join(uleb(len(part)) + part for part in coded[:-1]) + b"".join(coded[-1:])

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        head, start = record.Head.parse(payload)
        if start + head.symbols != size:
            raise CorruptError("a record of latents has another size than its block")
        codec = codecs.by_id(head.codec, head.model)
        sizes = record.sizes(head, codec)
        reader = Reader(payload, start)
        out = []
        for number, part_size in enumerate(sizes, 1):
            part = reader.bytes(reader.uleb() if number < len(sizes) else reader.left())
            out.append(codec.decode(part, part_size, head.settings))
        if reader.left():
            raise CorruptError("the code of latents is longer than its contents")
        return payload[:start] + record.to_bytes(out)
