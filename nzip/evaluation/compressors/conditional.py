"""The compressors of the measures that compare texts by compression: C(x), C(xy) and C(y | x), in bits, by name.

C(y | x) is what y costs after x was read. Engines of nzip and the dictionaries of Deflate and Zstandard give it
directly; headers, which say nothing of x or y, are then left out. For the others it is C(xy) - C(x).
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from nzip.errors import NzipError
from nzip.evaluation.compressors.peers import SHORT

WINDOW = 1 << 15  # of Deflate
LEAST_DICTIONARY = 4096  # of LZMA
PEERS = {name: SHORT[name] for name in ("bzip2", "brotli", "ppmd")}
LONG = {whole: name for name, whole in SHORT.items()}
NAMES = ("gzip", "xz", "zstd", *PEERS, "static")

# For a few texts, and for many: levels.
DEFAULT, FAST = "nzip", "nzip-3"

Cost = Callable[[bytes], float]


@dataclass(frozen=True)
class Compressor:
    """One way to measure bytes.

    Attributes:
        name: as it was asked for.
        version: of the library that does the work.
        settings: what the name leaves out.
        size: C(x) in bits, the whole output.
        conditional: is given x and the size of the largest block to come; returns C(· | x) in bits, quick to call.
        chained: C(xy) is C(x) + C(y | x), with no window and no header between.
        direct: C(y | x) comes of priming; otherwise it is C(xy) - C(x).
    """

    name: str
    version: str
    settings: str
    size: Cost
    conditional: Callable[[bytes, int], Cost]
    chained: bool = False
    direct: bool = False

    def joint(self, x: bytes, most: int) -> Cost:
        """Return y -> C(xy)."""
        if self.chained:
            alone, after = self.size(x), self.conditional(x, most)
            return lambda y: alone + after(y)
        return lambda y: self.size(x + y)

    def describe(self) -> dict[str, Any]:
        """Return what a result says of it."""
        return {"name": self.name, "version": self.version, "settings": self.settings}


@cache
def compressor(name: str) -> Compressor:
    """Return the compressor called `name`.

    Args:
        name: `gzip`, `xz`, `zstd`, `bzip2`, `brotli`, `ppmd`, or what they stand for (`xz -6`); `nzip` (the
            default level), `nzip-1` … `nzip-9`; an engine of nzip, with parameters if need be: `cmfast`,
            `cm:preset=2,bits=18`; or `static`, the counts of what was read and of nothing else, up to `static:order=7`.

    Raises:
        NzipError: there is none of that name, a parameter is wrong, or its library is not installed.
    """
    if name in LONG:
        return compressor(LONG[name])
    if name == "gzip":
        return _gzip()
    if name == "xz":
        return _xz()
    if name == "zstd":
        return _zstd()
    if name in PEERS:
        return _peer(name)
    if name.partition(":")[0] == "static":
        return _static(name)
    return _nzip(name)


def _subtracted(size: Cost) -> Callable[[bytes, int], Cost]:
    def conditional(x: bytes, most: int) -> Cost:
        before = size(x) if x else 0.0
        return lambda y: size(x + y) - before

    return conditional


def _gzip() -> Compressor:
    def size(data: bytes) -> float:
        return 8.0 * len(zlib.compress(data, 9, 31))

    def conditional(x: bytes, most: int) -> Cost:
        known = x[-WINDOW:]
        start = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=known) if known else zlib.compressobj(9, wbits=-15)

        def cost(y: bytes) -> float:
            coder = start.copy()
            return 8.0 * (len(coder.compress(y)) + len(coder.flush()))

        return cost

    version = f"zlib {zlib.ZLIB_RUNTIME_VERSION}"
    settings = "level 9; conditional: raw Deflate, the last 32 KiB known"
    return Compressor("gzip", version, settings, size, conditional, direct=True)


def _xz() -> Compressor:
    def size(data: bytes) -> float:
        # A dictionary no larger than the data gives the same sizes in two thirds of the time.
        room = max(LEAST_DICTIONARY, 1 << len(data).bit_length())
        chain = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": min(room, 8 << 20)}]
        return 8.0 * len(lzma.compress(data, filters=chain))

    settings = "preset 6, dictionary of the data's size, 8 MiB at most"
    return Compressor("xz", "liblzma of Python", settings, size, _subtracted(size))


def _zstd() -> Compressor:
    import zstandard

    level = 19

    def parameters(count: int) -> zstandard.ZstdCompressionParameters:
        return zstandard.ZstdCompressionParameters.from_level(
            level,
            source_size=max(1, count),
            format=zstandard.FORMAT_ZSTD1_MAGICLESS,
            write_content_size=False,
            write_checksum=False,
            write_dict_id=False,
        )

    def size(data: bytes) -> float:
        return 8.0 * len(zstandard.ZstdCompressor(level=level).compress(data))

    def conditional(x: bytes, most: int) -> Cost:
        settings = parameters(len(x) + most)
        if len(x) >= 8:  # libzstd makes no dictionary of less
            known = zstandard.ZstdCompressionDict(x, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
            known.precompute_compress(compression_params=settings)
            coder = zstandard.ZstdCompressor(dict_data=known, compression_params=settings)
        else:
            coder = zstandard.ZstdCompressor(compression_params=settings)
        return lambda y: 8.0 * len(coder.compress(y))

    library = ".".join(str(part) for part in zstandard.ZSTD_VERSION)
    settings = f"level {level}; conditional: raw content as dictionary, no header"
    return Compressor("zstd", f"libzstd {library}", settings, size, conditional, direct=True)


def _peer(name: str) -> Compressor:
    from nzip.evaluation.compressors.peers import peers

    codec = next((codec for codec in peers() if codec.name == PEERS[name]), None)
    if codec is None:
        raise NzipError(f"{name} is not installed; install it with: pip install 'nzip[peers]'")
    compress = codec.compress

    def size(data: bytes) -> float:
        return 8.0 * len(compress(data))

    return Compressor(name, codec.version, f"{codec.name}, {codec.settings}", size, _subtracted(size))


def _static(name: str) -> Compressor:
    import numpy as np

    import nzip
    from nzip.models.static.model import StaticModel
    from nzip.models.static.tables import MAX_ORDER

    params = _parameters(name, name.partition(":")[2])
    order = params.pop("order", MAX_ORDER)
    if params or order > MAX_ORDER:
        raise NzipError(f"{name!r}: static has one parameter, order=0 to order={MAX_ORDER}")

    def size(data: bytes) -> float:
        return 8.0 * len(data)

    def conditional(x: bytes, most: int) -> Cost:
        if not x:
            return size
        model = StaticModel.trained(x, order)

        def cost(y: bytes) -> float:
            _, frequencies, totals = model.intervals(y)
            return float(np.log2(totals / frequencies).sum())

        return cost

    settings = f"orders 0 to {order}, counted in what was read; 8 bits a byte where nothing was"
    return Compressor(name, f"nzip {nzip.__version__}", settings, size, conditional, chained=True, direct=True)


def _nzip(name: str) -> Compressor:
    import nzip

    engine, _, given = name.partition(":")
    level: int | None = None
    if engine == "nzip" or (engine.startswith("nzip-") and engine[5:].isdecimal()):
        level = int(engine[5:]) if engine != "nzip" else 6
        if given:
            raise NzipError(f"{name!r}: parameters follow the name of an engine, as in cm:preset=2")
        if level not in nzip.levels():
            raise NzipError(f"{name!r}: the levels are nzip-1 … nzip-9")
    elif engine not in nzip.engines():
        known = ", ".join((*NAMES, "nzip", *sorted(nzip.engines())))
        raise NzipError(f"no compressor is called {engine!r}; there are {known}")
    params = _parameters(name, given)
    try:
        start = _start(level, engine, params, b"", 1)
    except ValueError as error:
        raise NzipError(f"{name}: {error}") from None

    def size(data: bytes) -> float:
        return _fresh(level, engine, given, max(1, len(data) - 1).bit_length())(data)

    def conditional(x: bytes, most: int) -> Cost:
        if not x:
            return _start(level, engine, params, b"", most).bits
        return _start(level, engine, params, x, most).bits

    chosen = nzip.levels()[level] if level is not None else None
    used = {**chosen.params} if chosen is not None else params
    words = [chosen.engine if chosen is not None else engine, *(f"{key} {value}" for key, value in used.items())]
    words.append("conditional, to a fraction of a bit" if start.exact else "by concatenation")
    return Compressor(
        name, f"nzip {nzip.__version__}", ", ".join(words), size, conditional, chained=start.exact, direct=start.exact
    )


def _parameters(name: str, given: str) -> dict[str, int]:
    params = {}
    for part in given.split(",") if given else ():
        key, equals, value = part.partition("=")
        if not equals or not value.isdecimal():
            raise NzipError(f"{name!r}: parameters are written as cm:preset=2,bits=18")
        params[key] = int(value)
    return params


def _start(level: int | None, engine: str, params: dict[str, int], known: bytes, most: int) -> Any:
    import nzip

    if level is not None:
        return nzip.conditional(known, level, most=most)
    return nzip.conditional(known, engine=engine, params=params, most=most)


@cache
def _fresh(level: int | None, engine: str, given: str, width: int) -> Cost:
    """C(x) for x of up to 2^width bytes: what that needs is made once."""
    cost: Cost = _start(level, engine, _parameters(engine, given), b"", 1 << width).bits
    return cost
