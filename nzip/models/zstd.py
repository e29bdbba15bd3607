"""Engine `zstd`: Zstandard frames (RFC 8878) with a window as long as the block, through python-zstandard.

The frame is written without its own magic, content size and checksum: the block header already has them. The
payload for a block depends on the version of libzstd that wrote it; any version reads it.
"""

from __future__ import annotations

from typing import Any

import zstandard

from nzip.errors import CorruptError
from nzip.formats.content.kinds import Content
from nzip.models.base import Beside, Engine
from nzip.params import Number, Parameters, Params

MIN_WINDOW, MAX_WINDOW = 10, 30  # log2 of bytes
# Memory beside the window, as docs/reference/FORMAT.md states it. A constant of the format: what libzstd itself
# estimates changes between its versions, and a block that one version wrote must be admitted by every other.
BESIDE_WINDOW = 320 << 10


class ZstdEngine(Engine):
    """Codes a block as one Zstandard frame."""

    name = "zstd"
    id = 1
    version = 1
    parameters = Parameters(
        "engine zstd",
        Number(name="level", low=1, high=22, default=19, help="As in zstd; higher is smaller and slower."),
        Number(
            name="window",
            low=MIN_WINDOW,
            high=MAX_WINDOW,
            default=24,
            help="The most that the log2 of the window in bytes may be; decoding takes so much memory.",
        ),
    )
    imports = ()
    sees_records = False

    def fit(self, params: Params, size: int) -> dict[str, Any]:
        full = self.parameters.check(params)
        return {**full, "window": max(MIN_WINDOW, min(full["window"], (size - 1).bit_length()))}

    def memory(self, params: Params, size: int) -> int:
        return (1 << self.parameters.check(params)["window"]) + BESIDE_WINDOW

    def encode_memory(self, params: Params, size: int) -> int:
        level, window = self.parameters.check(params).values()
        # libzstd divides by zero when it is asked about long distances whose table size is left to it.
        short = self._settings(level, window, size, long=False).estimated_compression_context_size()
        return short + (9 << max(window - 7, 6) if _long(size) else 0)

    @staticmethod
    def _settings(level: int, window: int, size: int, *, long: bool) -> zstandard.ZstdCompressionParameters:
        return zstandard.ZstdCompressionParameters.from_level(
            level,
            source_size=size,
            window_log=window,
            enable_ldm=long,
            format=zstandard.FORMAT_ZSTD1_MAGICLESS,
            write_content_size=False,
            write_checksum=False,
            write_dict_id=False,
        )

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        level, window = self.parameters.check(params).values()
        settings = self._settings(level, window, len(block), long=_long(len(block)))
        compressor = zstandard.ZstdCompressor(compression_params=settings)
        if content is None or len(content.segments) == 1:
            return compressor.compress(block)
        # Unlike bytes are in blocks of their own, with tables of their own.
        stream, out, at = compressor.compressobj(size=len(block)), [], 0
        for segment in content.segments:
            out += [stream.compress(block[at : at + segment.length]), stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)]
            at += segment.length
        return b"".join((*out, stream.flush()))

    learns_beside = True

    def encode_beside(self, block: bytes, params: Params, content: Content | None, beside: Beside) -> bytes:
        level, window = self.parameters.check(params).values()
        size = len(beside.text) + len(block)
        settings = self._settings(level, max(window, (size - 1).bit_length()), size, long=_long(size))
        return zstandard.ZstdCompressor(compression_params=settings, dict_data=_text(beside)).compress(block)

    def decode_beside(self, payload: bytes, size: int, params: Params, beside: Beside) -> bytes:
        return self._decode(payload, size, params, _text(beside))

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        return self._decode(payload, size, params, None)

    def _decode(self, payload: bytes, size: int, params: Params, text: Any) -> bytes:
        window = self.parameters.check(params)["window"]
        # The frame header's first byte announces content size, checksum and dictionary. None is allowed: libzstd's
        # binding would allocate whatever content size a hostile frame states.
        if payload[:1] != b"\0":
            raise CorruptError("a zstd block is damaged (its frame header is not of the allowed form)")
        form = zstandard.FORMAT_ZSTD1_MAGICLESS
        reader = zstandard.ZstdDecompressor(dict_data=text, max_window_size=1 << window, format=form)
        try:
            block = reader.decompress(payload, max_output_size=size, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise CorruptError(f"a zstd block is damaged ({error})") from None
        if len(block) != size:
            raise CorruptError("a zstd block has another size than its header says")
        return block


def _text(beside: Beside) -> zstandard.ZstdCompressionDict:
    """Return what is read before a block; what stood before single bytes of it is no use here."""
    return zstandard.ZstdCompressionDict(beside.text, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def _long(size: int) -> bool:
    """Whether matches at a long distance are looked for."""
    return size > 1 << 24
