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

TYPE_CHECKING = False  # to type checkers it is true; typing itself is not imported, for the command starts here
if TYPE_CHECKING:
    from nzip.codec.compressor import Compressor, compress
    from nzip.codec.conditional import conditional
    from nzip.codec.decompressor import Decompressor, decompress
    from nzip.codec.files.results import FileResult
    from nzip.codec.files.trees.extract import extract_tree
    from nzip.codec.files.trees.pack import compress_tree
    from nzip.codec.files.trees.tree import list_tree
    from nzip.codec.inspect import BlockInfo, FileInfo, MemberInfo, OpenerInfo, PartInfo, inspect
    from nzip.codec.nzipfile import NzipFile, open
    from nzip.codec.primers import make_primer
    from nzip.codec.salvage.content import Salvage, salvage
    from nzip.codec.salvage.faults import Fault
    from nzip.codec.search.files import grep
    from nzip.codec.signals.decode import decompress_signal, latents
    from nzip.codec.signals.encode import compress_signal
    from nzip.codec.tokens.tokenizer import EqualInfoTokenizer, Tokens, detokenize
    from nzip.errors import CorruptError, FileError, LimitError, NzipError, TruncatedError, UnsupportedError
    from nzip.formats.container.entries import TreeEntry
    from nzip.formats.container.structures import FORMAT_VERSION
    from nzip.formats.signals.audio import write_audio
    from nzip.formats.signals.base import Audio, Image
    from nzip.formats.signals.files import read_signal
    from nzip.formats.signals.images import write_image
    from nzip.formats.transforms.base import register_transform, transforms
    from nzip.models.base import engines, register_engine
    from nzip.settings import Level, levels

__all__ = [
    "FORMAT_VERSION",
    "Audio",
    "BlockInfo",
    "Compressor",
    "CorruptError",
    "Decompressor",
    "EqualInfoTokenizer",
    "Fault",
    "FileError",
    "FileInfo",
    "FileResult",
    "Image",
    "Level",
    "LimitError",
    "MemberInfo",
    "NzipError",
    "NzipFile",
    "OpenerInfo",
    "PartInfo",
    "Salvage",
    "Tokens",
    "TreeEntry",
    "TruncatedError",
    "UnsupportedError",
    "__version__",
    "compress",
    "compress_signal",
    "compress_tree",
    "conditional",
    "decompress",
    "decompress_signal",
    "detokenize",
    "engines",
    "extract_tree",
    "grep",
    "inspect",
    "latents",
    "levels",
    "list_tree",
    "make_primer",
    "open",
    "read_signal",
    "register_engine",
    "register_transform",
    "salvage",
    "transforms",
    "write_audio",
    "write_image",
]

# All is imported when it is asked for: the command hears signals before that, and what needs numpy may never be.
_HOMES = {
    "nzip.codec.compressor": ("Compressor", "compress"),
    "nzip.codec.decompressor": ("Decompressor", "decompress"),
    "nzip.codec.nzipfile": ("NzipFile", "open"),
    "nzip.codec.files.results": ("FileResult",),
    "nzip.codec.files.trees.pack": ("compress_tree",),
    "nzip.codec.files.trees.extract": ("extract_tree",),
    "nzip.codec.files.trees.tree": ("list_tree",),
    "nzip.formats.container.entries": ("TreeEntry",),
    "nzip.codec.inspect": ("BlockInfo", "FileInfo", "MemberInfo", "OpenerInfo", "PartInfo", "inspect"),
    "nzip.settings": ("Level", "levels"),
    "nzip.codec.signals.encode": ("compress_signal",),
    "nzip.codec.signals.decode": ("decompress_signal", "latents"),
    "nzip.codec.conditional": ("conditional",),
    "nzip.codec.salvage.content": ("Salvage", "salvage"),
    "nzip.codec.salvage.faults": ("Fault",),
    "nzip.codec.primers": ("make_primer",),
    "nzip.codec.search.files": ("grep",),
    "nzip.codec.tokens.tokenizer": ("EqualInfoTokenizer", "Tokens", "detokenize"),
    "nzip.errors": ("CorruptError", "FileError", "LimitError", "NzipError", "TruncatedError", "UnsupportedError"),
    "nzip.formats.container.structures": ("FORMAT_VERSION",),
    "nzip.formats.transforms.base": ("register_transform", "transforms"),
    "nzip.models.base": ("engines", "register_engine"),
    "nzip.formats.signals.base": ("Image", "Audio"),
    "nzip.formats.signals.files": ("read_signal",),
    "nzip.formats.signals.images": ("write_image",),
    "nzip.formats.signals.audio": ("write_audio",),
}
_LATER = {name: home for home, names in _HOMES.items() for name in names}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _LATER:
            raise AttributeError(f"module 'nzip' has no attribute {name!r}")
        from importlib import import_module

        from nzip.process import imported

        imported(_LATER[name])
        value = globals()[name] = getattr(import_module(_LATER[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
