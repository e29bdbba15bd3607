"""What `import nzip` gives: a name or an argument that changes here changes for every user."""

import inspect
import subprocess
import sys

import pytest

import nzip

NAMES = [
    "FORMAT_VERSION",
    "BlockInfo",
    "Compressor",
    "CorruptError",
    "Decompressor",
    "EqualInfoTokenizer",
    "Fault",
    "FileError",
    "FileInfo",
    "Level",
    "LimitError",
    "MemberInfo",
    "FileResult",
    "OpenerInfo",
    "PartInfo",
    "TreeEntry",
    "compress_tree",
    "extract_tree",
    "list_tree",
    "NzipError",
    "NzipFile",
    "Image",
    "Salvage",
    "Audio",
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
    "grep",
    "inspect",
    "latents",
    "levels",
    "make_primer",
    "open",
    "conditional",
    "read_signal",
    "register_engine",
    "register_transform",
    "salvage",
    "transforms",
    "write_image",
    "write_audio",
]

SIGNATURES = {
    "compress": "(data, level=6, *, engine=None, params=None, threads=1, block_size=None, window_bits=None, "
    "verify=None, like=None, primer=None, searchable=None)",
    "decompress": "(data, *, max_output_size=None, max_memory=2147483648, threads=1, like=None, primer=None)",
    "open": "(filename, mode='rb', *, level=6, threads=1, max_memory=2147483648, encoding=None, errors=None, "
    "newline=None, **settings)",
    "NzipFile": "(file, mode='r', *, level=6, threads=1, max_memory=2147483648, lost=None, like=None, primer=None, "
    "**settings)",
    "Salvage": "(file, *, lost='zeros', max_memory=2147483648, threads=1, unplaced=False, max_output_size=None, "
    "like=None, primer=None)",
    "salvage": "(source, *, lost='zeros', max_memory=2147483648, threads=1, unplaced=False, max_output_size=None, "
    "like=None, primer=None)",
    "Compressor": "(level=6, *, engine=None, params=None, threads=1, block_size=None, window_bits=None, verify=None, "
    "content_size=None, name=None, mode=None, mtime_ns=None, kind=None, like=None, primer=None, "
    "searchable=None)",
    "conditional": "(data, level=6, *, engine=None, params=None, most=65536)",
    "Compressor.compress": "(self, data)",
    "Compressor.flush": "(self)",
    "Compressor.close": "(self)",
    "Decompressor": "(*, max_output_size=None, max_memory=2147483648, max_block=None, threads=1, like=None, "
    "primer=None)",
    "Decompressor.decompress": "(self, data=b'', max_length=-1)",
    "Decompressor.end_input": "(self)",
    "Decompressor.close": "(self)",
    "EqualInfoTokenizer": "(model='text', window_bits=16, token_bits=16, *, variant='reserved', reset='window')",
    "EqualInfoTokenizer.encode": "(self, data, *, progress=None)",
    "EqualInfoTokenizer.decode": "(self, tokens, *, progress=None)",
    "EqualInfoTokenizer.pack": "(self, tokens)",
    "compress_signal": "(signal, *, codec=None, model=None, quality=None, bpp=None, kbps=None, psnr=None, search=0)",
    "decompress_signal": "(data, *, max_memory=2147483648, max_output_size=None, ops=None)",
    "latents": "(source, *, max_memory=2147483648, max_output_size=None)",
    "read_signal": "(source, *, strip=False)",
    "write_image": "(picture, target, format='', *, strip=False)",
    "write_audio": "(sound, target, format='', *, strip=False)",
    "detokenize": "(data, model=None, *, max_output_size=None)",
    "inspect": "(file, *, max_memory=2147483648)",
    "levels": "()",
    "engines": "()",
    "transforms": "()",
    "register_engine": "(engine)",
    "register_transform": "(transform)",
}

HEAVY = ["numba", "numpy", "torch", "zstandard", "rich", "click", "matplotlib", "llvmlite"]


def test_names():
    assert sorted(nzip.__all__) == sorted(NAMES)
    assert all(hasattr(nzip, name) for name in NAMES)
    program = "import nzip; print(*sorted(set(nzip.__all__) - set(dir(nzip))))"  # before any of them is asked for
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not done.stdout.strip()


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name):
    found = nzip
    for part in name.split("."):
        found = getattr(found, part)
    signature = inspect.signature(found)
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    plain = inspect.Signature(bare)
    assert str(plain) == SIGNATURES[name]


@pytest.mark.parametrize("name", [name for name in NAMES if callable(getattr(nzip, name))])
def test_every_public_name_is_documented(name):
    assert inspect.getdoc(getattr(nzip, name))


def test_errors():
    for error in (nzip.CorruptError, nzip.UnsupportedError, nzip.LimitError):
        assert issubclass(error, nzip.NzipError)
    assert issubclass(nzip.NzipError, Exception)
    assert not issubclass(nzip.NzipError, (OSError, ValueError))


def test_versions():
    assert nzip.FORMAT_VERSION == 1
    assert nzip.__version__.split(".")[0].isdigit()


def imported_after(program):
    code = f"import sys; {program}; print(*sorted(m for m in {HEAVY!r} if m in sys.modules))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_import_is_light():
    assert imported_after("import nzip") == []


def test_looking_at_a_file_is_light():
    program = "import nzip, io; nzip.levels(); d = {!r}; nzip.inspect(io.BytesIO(d)).to_dict(); nzip.decompress(d)"
    assert imported_after(program.format(nzip.compress(b"x", engine="store"))) == []


def test_zstd_brings_neither_numba_nor_numpy():
    assert "numba" not in imported_after("import nzip; nzip.decompress(nzip.compress(b'x' * 2000, 1))")


def test_docstring_example_is_about_the_api():
    assert "nzip.compress" in nzip.__doc__
