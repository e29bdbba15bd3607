"""nzip: lossless compression with learned probability models, exact on every machine.

The interface has the shape of the standard library's `lzma`:

>>> import nzip
>>> packed = nzip.compress(b"to be, or not to be: " * 50)
>>> len(packed) < 80
True
>>> nzip.decompress(packed) == b"to be, or not to be: " * 50
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nzip._version import __version__
from nzip.codec.compressor import Compressor, compress
from nzip.codec.decompressor import Decompressor, decompress
from nzip.codec.file import NzipFile, open
from nzip.codec.inspect import BlockInfo, FileInfo, MemberInfo, inspect
from nzip.codec.levels import Level, levels
from nzip.codec.primed import primed
from nzip.codec.registry import engines, register_engine, register_transform, transforms
from nzip.codec.salvage import Fault, Salvage, salvage
from nzip.codec.tokens import EqualInfoTokenizer, Tokens, detokenize
from nzip.errors import CorruptError, LimitError, NzipError, TruncatedError, UnsupportedError
from nzip.formats.container import FORMAT_VERSION
from nzip.process import imported

if TYPE_CHECKING:
    from nzip.codec.lossy import compress_signal, decompress_signal, latents
    from nzip.formats.signals import Picture, Sound, read_signal, write_picture, write_sound

__all__ = [
    "FORMAT_VERSION",
    "BlockInfo",
    "Compressor",
    "CorruptError",
    "Decompressor",
    "EqualInfoTokenizer",
    "Fault",
    "FileInfo",
    "Level",
    "LimitError",
    "MemberInfo",
    "NzipError",
    "NzipFile",
    "Picture",
    "Salvage",
    "Sound",
    "Tokens",
    "TruncatedError",
    "UnsupportedError",
    "__version__",
    "compress",
    "compress_signal",
    "decompress",
    "decompress_signal",
    "detokenize",
    "engines",
    "inspect",
    "latents",
    "levels",
    "open",
    "primed",
    "read_signal",
    "register_engine",
    "register_transform",
    "salvage",
    "transforms",
    "write_picture",
    "write_sound",
]

# What needs numpy is imported when it is asked for: the rest starts without it.
_LATER = {
    **dict.fromkeys(("compress_signal", "decompress_signal", "latents"), "nzip.codec.lossy"),
    **dict.fromkeys(("Picture", "Sound", "read_signal", "write_picture", "write_sound"), "nzip.formats.signals"),
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'nzip' has no attribute {name!r}")
    imported(_LATER[name])
    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
