"""The compressors of the KoLMogorov test: baselines, and priors of programs."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from nzip.errors import NzipError
from nzip.evaluation.compressors.codec import Codec
from nzip.evaluation.compressors.levels import nzip_codec
from nzip.evaluation.compressors.peers import peers, ppmd_codec

GZIP, UNIFORM, EXACT = "gzip -9", "DSL uniform", "DSL exact"
ORDERS = (2, 3, 4, 5, 6, 8, 10, 12, 16)  # of PPMd
# What the released evaluator puts between sequences and programs; there, bytes are characters, and coded as UTF-8.
RELEASED_SEPARATOR = "#_" * 6 + "#"


@lru_cache(maxsize=64)
def coder(name: str) -> Codec:
    """Return the codec of a row: `gzip -9`, `bzip2 -9`, `xz -9e`, `PPMd H oN`, `nzip -N`.

    Raises:
        LookupError: there is none of this name.
        NzipError: it is not installed.
    """
    if name == GZIP:
        return Codec(
            GZIP,
            "gzip",
            f"zlib {zlib.ZLIB_RUNTIME_VERSION}",
            "level 9; 18 bytes of header and trailer",
            lambda data: gzip.compress(data, 9, mtime=0),
            lambda data, size: gzip.decompress(data),
        )
    if name.startswith("PPMd H o"):
        return ppmd_codec(int(name[8:]))
    if name.startswith("nzip -"):
        return nzip_codec(int(name[6:]))
    for codec in peers():
        if codec.name == name:
            return codec
    raise LookupError(f"there is no codec {name!r}")


def size_of(name: str, data: bytes) -> int:
    """Return the compressed size of `data` in bytes, 0 of nothing; checked by decompressing.

    Raises:
        NzipError: the bytes did not come back.
    """
    if not data:
        return 0
    codec = coder(name)
    packed = codec.compress(data)
    if codec.decompress(packed, len(data)) != data:
        raise NzipError(f"{name} did not give the bytes back")
    return len(packed)


def as_released(sequences: Sequence[bytes]) -> bytes:
    """Return sequences joined as the released evaluator does: characters of the same number, in UTF-8, separated."""
    return RELEASED_SEPARATOR.join(sequence.decode("latin-1") for sequence in sequences).encode()


@dataclass(frozen=True)
class Baseline:
    """A compressor on a modality: `form` is `"whole"`, `"pieces"` (each alone) or `"released"` (see `as_released`)."""

    modality: str
    codec: str
    form: str
    size: int


def baseline_names(levels: Sequence[int], pieces: Sequence[int]) -> list[tuple[str, str]]:
    """Return codec and form of each baseline; PPMd only where it is installed."""
    installed = {codec.name for codec in peers()}
    names = [(GZIP, "whole")] + [(name, "whole") for name in ("bzip2 -9", "xz -9e") if name in installed]
    if any(name.startswith("PPMd") for name in installed):
        names += [(f"PPMd H o{order}", "whole") for order in ORDERS]
    names += [(f"nzip -{level}", "whole") for level in levels]
    names += [(GZIP, "released"), (GZIP, "pieces")]
    return names + [(f"nzip -{level}", "pieces") for level in pieces]
