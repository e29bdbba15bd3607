"""The running Python's own tests of `lzma`, `bz2` and `gzip`, pointed at nzip: a file object takes the place of theirs.

What stands in DIFFERENT is about their formats and options, or is decided otherwise here, with the reason. Everything
else has to pass.
"""

import importlib.util
import sys
import types
import unittest

import pytest

import nzip

LEVEL = 1
FORMAT = "is about the format of the other program"
OPTION = "is about an option that nzip does not have"
JUNK = "what follows behind the last member is damage in nzip, and is said"
BLOCKS = "a block is decoded whole, and buffers are larger"
NONE = "None is taken for a size, as in lzma"
ERROR = "nzip's errors are not OSError"

DIFFERENT = {
    "test_init_bad_check": OPTION,
    "test_init_bad_preset": OPTION,
    "test_init_bad_filter_spec": OPTION,
    "test_init_with_preset_and_filters": OPTION,
    "test_read_trailing_junk": JUNK,
    "test_read_multistream_trailing_junk": JUNK,
    "testReadTrailingJunk": JUNK,
    "testReadMultiStreamTrailingJunk": JUNK,
    "testReadBadFile": ERROR,
    "test_gzip_BadGzipFile_exception": ERROR,
    "test_bad_gzip_file": FORMAT,
    "test_seek_write": "gzip fills with zeros where a writer seeks forward; nzip's writers do not seek, as lzma's",
    "test_mode": "gzip's modes are numbers",
    "test_1647484": FORMAT,
    "test_paddedfile_getattr": FORMAT,
    "test_mtime": FORMAT,
    "test_metadata": FORMAT,
    "test_metadata_ascii_name": FORMAT,
    "test_compresslevel_metadata": FORMAT,
    "test_zero_padded_file": JUNK,
    "test_fileobj_mode": "gzip takes over the mode of a file object",
    "test_compress": FORMAT,
    "test_compress_mtime": FORMAT,
    "test_compress_correct_level": FORMAT,
    "test_decompress": FORMAT,
    "test_decompress_truncated_trailer": FORMAT,
    "test_decompress_missing_trailer": FORMAT,
    "test_read_with_extra": FORMAT,
    "test_prepend_error": "is about a class inside gzip",
    "test_decompress_limited": BLOCKS,
    "testDecompressLimited": BLOCKS,
    "testThreading": "has 50 MB in blocks of 1 KiB; tests/codec/test_threads.py has threads",
    "testReadLine": NONE,
    "testReadLineMultiStream": NONE,
    "testReadLines": NONE,
    "testReadLinesMultiStream": NONE,
    "testReadlinesNoNewline": FORMAT,
    "bz2 test_read_truncated": "a member of one block has no trailer that could be cut off",
}
CASES = {
    "lzma": ["FileTestCase", "OpenTestCase"],
    "bz2": ["BZ2FileTest", "OpenTest"],
    "gzip": ["TestGzip", "TestOpen"],
}


def compress(data, *_, **__):
    return nzip.compress(data, LEVEL, block_size=1024)


def decompress(data, *_, **__):
    return nzip.decompress(data)


class LZMAFile(nzip.NzipFile):
    def __init__(self, filename=None, mode="r", *, format=None, check=-1, preset=None, filters=None):
        settings = {} if isinstance(mode, str) and "r" in mode else {"level": LEVEL, "block_size": 1024}
        super().__init__(filename, mode, **settings)

    @property
    def _fp(self):
        return self._file

    @property
    def _buffer(self):
        return self._reader


class BZ2File(LZMAFile):
    def __init__(self, filename, mode="r", *, compresslevel=9):
        if not 1 <= compresslevel <= 9:
            raise ValueError("compresslevel must be between 1 and 9")
        super().__init__(filename, mode)


class GzipFile(LZMAFile):
    def __init__(self, filename=None, mode="rb", compresslevel=9, fileobj=None, mtime=None):
        super().__init__(filename if fileobj is None else fileobj, mode)

    @property
    def fileobj(self):
        return self._file


def opener(kind):
    def opened(filename, mode="rb", *args, encoding=None, errors=None, newline=None, **options):
        if "t" not in mode and (encoding, errors, newline) == (None, None, None):
            return kind(filename, mode, **options)
        settings = {} if "r" in mode else {"level": LEVEL, "block_size": 1024}
        return nzip.open(filename, mode, encoding=encoding, errors=errors, newline=newline, **settings)

    return opened


def shim(name):
    """A module that looks like `name` and is nzip."""
    real = importlib.import_module(name)
    module = types.ModuleType(name)
    module.__dict__.update({key: value for key, value in vars(real).items() if not key.startswith("__")})
    kind = {"lzma": LZMAFile, "bz2": BZ2File, "gzip": GzipFile}[name]
    setattr(module, kind.__name__, kind)
    module.open, module.compress, module.decompress = opener(kind), compress, decompress
    module.LZMAError = module.BadGzipFile = nzip.CorruptError
    return module


def loaded(name):
    """The tests of `name`, with nzip in its place."""
    spec = importlib.util.find_spec(f"test.test_{name}")
    module = importlib.util.module_from_spec(spec)
    real = sys.modules.get(name)
    sys.modules[name] = shim(name)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.modules.pop(name)
        if real is not None:
            sys.modules[name] = real
    if name == "lzma":
        packed = compress(module.INPUT)
        for key in list(vars(module)):
            if key.startswith("COMPRESSED_") and key != "COMPRESSED_BOGUS":
                setattr(module, key, packed)
    elif name == "bz2":
        module.BaseTest.DATA = compress(module.BaseTest.TEXT)
        module.BaseTest.EMPTY_DATA = compress(b"")
        module.has_cmdline_bunzip2 = False
    else:
        module.TEMPDIR = "gzip-folder"
    return module


try:
    import test.support  # noqa: F401
except ImportError:
    pytest.skip("this distribution of Python has no package of its tests", allow_module_level=True)

def found():
    for name, kinds in CASES.items():
        if importlib.util.find_spec(f"test.test_{name}") is not None:
            module = loaded(name)
            for kind in (getattr(module, kind) for kind in kinds):
                for test in unittest.TestLoader().getTestCaseNames(kind):
                    yield name, kind, test


FOUND = list(found())


@pytest.mark.parametrize(
    ("name", "kind", "test"), FOUND, ids=[f"{name}-{kind.__name__}-{test}" for name, kind, test in FOUND]
)
def test_of_the_standard_library(name, kind, test, tmp_path, monkeypatch):
    different = DIFFERENT.get(test) or DIFFERENT.get(f"{name} {test}")
    if different is not None:
        pytest.skip(different)
    monkeypatch.chdir(tmp_path)
    result = unittest.TestResult()
    kind(test).run(result)
    for _, traceback in result.errors + result.failures:
        pytest.fail(traceback)
    if result.skipped:
        pytest.skip(result.skipped[0][1])
    assert result.testsRun == 1


def test_the_packages_were_found():
    assert {name for name, _, _ in FOUND} == set(CASES)
    assert len(FOUND) > 150
