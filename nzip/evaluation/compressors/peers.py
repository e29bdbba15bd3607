"""The other compressors that are installed.

They are found by looking, never required; each is set to its smallest output unless its name says otherwise, and runs
on one thread.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

from nzip.errors import NzipError
from nzip.evaluation.compressors.codec import Codec
from nzip.evaluation.harness.provenance import package_version

MIB = 1 << 20
# What peers are called for short, by every measure.
SHORT = {
    "gzip": "zlib -9",
    "xz": "xz -6",
    "zstd": "zstd -19",
    "bzip2": "bzip2 -9",
    "brotli": "brotli 11",
    "ppmd": "PPMd H o8",
}


def peers(*, slow: bool = False) -> list[Codec]:
    """Return every peer that is installed, from the quickest family to the smallest output.

    Args:
        slow: those that take minutes a file as well.
    """
    found: list[Codec] = []
    for family in (_zlib, _bzip2, _xz, _zstd, _brotli, _ppmd, _zpaq):
        found += family()
    return found + _paq8px() if slow else found


def _peer(
    name: str,
    family: str,
    version: str,
    settings: str,
    compress: Callable[[bytes], bytes],
    decompress: Callable[[bytes, int], bytes],
    *,
    external: bool = False,
    model_bytes: int = 0,
) -> Codec:
    return Codec(
        name,
        family,
        version,
        settings,
        compress,
        decompress,
        spec={"kind": "peer", "name": name},
        external=external,
        model_bytes=model_bytes,
    )


def _module(name: str) -> ModuleType | None:
    try:
        return import_module(name)
    except ImportError:
        return None



def _python() -> str:
    return f"of Python {platform.python_version()}"


def _zlib() -> list[Codec]:
    zlib = _module("zlib")
    if zlib is None:
        return []
    return [
        _peer(
            "zlib -9",
            "zlib",
            f"zlib {zlib.ZLIB_RUNTIME_VERSION}",
            "level 9 (as gzip -9, less 12 bytes of header)",
            lambda data: zlib.compress(data, 9),
            lambda data, size: zlib.decompress(data),
        )
    ]


def _bzip2() -> list[Codec]:
    bz2 = _module("bz2")
    if bz2 is None:
        return []
    return [
        _peer(
            "bzip2 -9",
            "bzip2",
            f"libbz2 {_python()}",
            "900 kB blocks",
            lambda data: bz2.compress(data, 9),
            lambda data, size: bz2.decompress(data),
        )
    ]


def _xz() -> list[Codec]:
    lzma = _module("lzma")
    if lzma is None:
        return []

    def codec(name: str, preset: int, settings: str) -> Codec:
        return _peer(
            name,
            "xz",
            f"liblzma {_python()}",
            settings,
            lambda data: lzma.compress(data, preset=preset),
            lambda data, size: lzma.decompress(data),
        )

    return [
        codec("xz -6", 6, "8 MiB dictionary"),
        codec("xz -9e", 9 | lzma.PRESET_EXTREME, "64 MiB dictionary, extreme"),
    ]


def _zstd() -> list[Codec]:
    zstandard = _module("zstandard")
    if zstandard is None:
        return []
    library = ".".join(str(part) for part in zstandard.ZSTD_VERSION)

    def codec(level: int, long: bool) -> Codec:
        def compress(data: bytes) -> bytes:
            if long:
                parameters = zstandard.ZstdCompressionParameters.from_level(
                    level, source_size=len(data), enable_ldm=True, window_log=27
                )
                return zstandard.ZstdCompressor(compression_params=parameters).compress(data)
            return zstandard.ZstdCompressor(level=level).compress(data)

        def decompress(data: bytes, size: int) -> bytes:
            return zstandard.ZstdDecompressor(max_window_size=1 << 27).decompress(data)

        return _peer(
            f"zstd -{level}{' --long' if long else ''}",
            "zstd",
            f"libzstd {library} (zstandard {zstandard.__version__})",
            "long distance matching, 128 MiB window" if long else f"level {level}",
            compress,
            decompress,
        )

    return [codec(3, False), codec(19, False), codec(22, True)]


def _brotli() -> list[Codec]:
    brotli = _module("brotli")
    if brotli is None:
        return []
    return [
        _peer(
            "brotli 11",
            "brotli",
            f"brotli {package_version('brotli')}",
            "quality 11, window 2^24",
            lambda data: brotli.compress(data, quality=11, lgwin=24),
            lambda data, size: brotli.decompress(data),
            model_bytes=122_784,  # its static dictionary (RFC 7932, appendix A)
        )
    ]


def _ppmd() -> list[Codec]:
    return [] if _module("pyppmd") is None else [ppmd_codec(8), ppmd_codec(16)]


def ppmd_codec(order: int) -> Codec:
    """Return PPMd variant H of this order, 2 to 64.

    Raises:
        NzipError: pyppmd is not installed.
    """
    pyppmd = _module("pyppmd")
    if pyppmd is None:
        raise NzipError("PPMd needs pyppmd; install it with: pip install 'nzip[peers]'")
    memory = 256 * MIB

    def compress(data: bytes) -> bytes:
        encoder = pyppmd.Ppmd7Encoder(order, memory)
        # Given much at once, pyppmd 1.3.1 can lose a byte where its output buffer ends (Calgary's obj2).
        pieces = [encoder.encode(data[start : start + 8192]) for start in range(0, len(data), 8192)]
        return b"".join(pieces) + encoder.flush()

    def decompress(data: bytes, size: int) -> bytes:
        if size == 0:
            return b""
        decoder = pyppmd.Ppmd7Decoder(order, memory)
        out = decoder.decode(data, size)
        # The last symbols may need bytes past the end of the stream, which stand for zeros.
        while len(out) < size:
            more = decoder.decode(b"\0", size - len(out))
            if not more:
                break
            out += more
        return out

    return _peer(
        f"PPMd H o{order}",
        "PPMd",
        f"pyppmd {package_version('pyppmd')}",
        f"variant H, order {order}, 256 MiB; raw stream, the size is not stored",
        compress,
        decompress,
    )


def _zpaq() -> list[Codec]:
    settings = "method 5, one thread; a program run on files, its start and about 0.9 KB of archive included"
    pack, unpack = ("add", "a.zpaq", "data", "-m5", "-t1"), ("extract", "a.zpaq", "-t1")
    return _program("zpaq", "zpaq -m5", settings, "a.zpaq", pack, unpack)


def _paq8px() -> list[Codec]:
    settings = "-8; a program run on files, its start (2 GB of tables) included"
    return _program("paq8px", "paq8px -8", settings, "a", ("-8", "data", "a"), ("-d", "a", "data"))


def _program(
    command: str, name: str, settings: str, archive: str, pack: Sequence[str], unpack: Sequence[str]
) -> list[Codec]:
    """Return the codec that runs `command` in a folder: `pack` makes `archive` of `data`, `unpack` the other way."""
    program = shutil.which(command)
    if program is None:
        return []
    banner = subprocess.run([program], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    words = (banner.stdout + banner.stderr).split()
    number = next((word.lstrip("v") for word in words if word.startswith("v") and word[1:2].isdigit()), "unknown")

    def run(content: bytes, before: str, after: str, arguments: Sequence[str]) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, before).write_bytes(content)
            subprocess.run([program, *arguments], cwd=folder, capture_output=True, check=True, stdin=subprocess.DEVNULL)
            return Path(folder, after).read_bytes()

    def compress(data: bytes) -> bytes:
        return run(data, "data", archive, pack)

    def decompress(data: bytes, size: int) -> bytes:
        return run(data, archive, "data", unpack)

    return [_peer(name, command, f"{command} {number}", settings, compress, decompress, external=True)]
