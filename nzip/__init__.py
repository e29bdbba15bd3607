"""nzip: lossless compression with learned probability models, exact on every machine.

The interface has the shape of the standard library's `lzma`:

>>> import nzip
>>> packed = nzip.compress(b"to be, or not to be: " * 50)
>>> len(packed) < 80
True
>>> nzip.decompress(packed) == b"to be, or not to be: " * 50
True
"""

from nzip._version import __version__
from nzip.codec.compressor import Compressor, compress
from nzip.codec.decompressor import Decompressor, decompress
from nzip.codec.file import NzipFile, open
from nzip.codec.inspect import BlockInfo, FileInfo, MemberInfo, inspect
from nzip.codec.levels import Level, levels
from nzip.codec.registry import engines, register_engine, register_transform, transforms
from nzip.codec.tokens import EqualInfoTokenizer, Tokens, detokenize
from nzip.errors import CorruptError, LimitError, NzipError, UnsupportedError
from nzip.formats.container import FORMAT_VERSION

__all__ = [
    "FORMAT_VERSION",
    "BlockInfo",
    "Compressor",
    "CorruptError",
    "Decompressor",
    "EqualInfoTokenizer",
    "FileInfo",
    "Level",
    "LimitError",
    "MemberInfo",
    "NzipError",
    "NzipFile",
    "Tokens",
    "UnsupportedError",
    "__version__",
    "compress",
    "decompress",
    "detokenize",
    "engines",
    "inspect",
    "levels",
    "open",
    "register_engine",
    "register_transform",
    "transforms",
]
