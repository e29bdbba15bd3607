"""Engine `zstd`: Zstandard frames (RFC 8878) with a window as long as the block, through python-zstandard.

The frame is written without its own magic, content size and checksum: the block header already has them. The
payload for a block depends on the version of libzstd that wrote it; any version reads it.
"""

from __future__ import annotations

import zstandard

from nzip.errors import CorruptError
from nzip.formats.content.kinds import Content
from nzip.models.base import Engine, Params

MIN_WINDOW, MAX_WINDOW = 10, 30  # log2 of bytes
# Memory beside the window, as docs/FORMAT.md states it. A constant of the format: what libzstd itself estimates
# changes between its versions, and a block that one version wrote must be admitted by every other.
BESIDE_WINDOW = 320 << 10


class ZstdEngine(Engine):
    """Codes a block as one Zstandard frame.

    Parameters:
        level: 1..22, as in zstd.
        window: log2 of the window in bytes, 10..30. The decoder's memory follows from it.
    """

    name = "zstd"
    id = 1
    version = 1
    imports = ()
    sees_records = False

    def pack(self, params: Params) -> bytes:
        level, window = self._checked(params)
        return bytes((level, window))

    def unpack(self, packed: bytes) -> dict[str, int]:
        if len(packed) != 2:
            raise CorruptError("the parameters of a zstd block are malformed")
        params = {"level": packed[0], "window": packed[1]}
        try:
            self._checked(params)
        except ValueError as error:
            raise CorruptError(f"the parameters of a zstd block are out of range: {error}") from None
        return params

    @staticmethod
    def _checked(params: Params) -> tuple[int, int]:
        unknown = set(params) - {"level", "window"}
        if unknown:
            raise ValueError(f"engine zstd does not know the parameter {sorted(unknown)[0]!r}")
        level, window = params.get("level", 19), params.get("window", 24)
        if not 1 <= level <= 22:
            raise ValueError(f"zstd level {level} is not in 1..22")
        if not MIN_WINDOW <= window <= MAX_WINDOW:
            raise ValueError(f"zstd window {window} is not in {MIN_WINDOW}..{MAX_WINDOW}")
        return level, window

    def fit(self, params: Params, size: int) -> dict[str, int]:
        level, window = self._checked(params)
        return {"level": level, "window": max(MIN_WINDOW, min(window, (size - 1).bit_length()))}

    def memory(self, params: Params, size: int) -> int:
        _, window = self._checked(params)
        return (1 << window) + BESIDE_WINDOW

    def encode_memory(self, params: Params, size: int) -> int:
        level, window = self._checked(params)
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
        level, window = self._checked(params)
        settings = self._settings(level, window, len(block), long=_long(len(block)))
        return zstandard.ZstdCompressor(compression_params=settings).compress(block)

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        _, window = self._checked(params)
        # The frame header's first byte announces content size, checksum and dictionary. None is allowed: libzstd's
        # binding would allocate whatever content size a hostile frame states.
        if payload[:1] != b"\0":
            raise CorruptError("a zstd block is damaged (its frame header is not of the allowed form)")
        reader = zstandard.ZstdDecompressor(max_window_size=1 << window, format=zstandard.FORMAT_ZSTD1_MAGICLESS)
        try:
            block = reader.decompress(payload, max_output_size=size, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise CorruptError(f"a zstd block is damaged ({error})") from None
        if len(block) != size:
            raise CorruptError("a zstd block has another size than its header says")
        return block


def _long(size: int) -> bool:
    """Whether matches at a long distance are looked for."""
    return size > 1 << 24
