"""Every golden file decodes to the content it was made from, whichever way it is read. Nothing here ever writes one."""

import hashlib
import io
from pathlib import Path

import pytest
import spec_decoder

import nzip
from nzip.registry import ENGINES, TRANSFORMS

GOLDEN = Path(__file__).parent / "golden"
MANIFESTS = sorted(GOLDEN.glob("v*/MANIFEST"))
LINES = [(manifest.parent, *line.split()) for manifest in MANIFESTS for line in manifest.read_text().splitlines()]


def by_engine(number):
    def decode(payload, size, params, version):
        engine = ENGINES.by_id(number, version)
        return engine.decode(payload, size, engine.unpack(params))

    return decode


def undo(number):
    def inverse(coded, size, params, version):
        transform = TRANSFORMS.by_id(number, version)
        return transform.inverse(coded, size, transform.unpack(params))

    return inverse


ENGINES_OF_NZIP = {number: by_engine(number) for number in (2, 3, 4, 5, 7)}
TRANSFORMS_OF_NZIP = {number: undo(number) for number in range(1, 64)}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_manifest_lists_every_file():
    assert {folder / name for folder, _, _, name in LINES} == set(GOLDEN.glob("v*/*.nz"))
    assert len(LINES) >= 14


@pytest.mark.parametrize(("folder", "content", "file", "name"), LINES, ids=[line[3] for line in LINES])
def test_golden_file(folder, content, file, name):
    data = (folder / name).read_bytes()
    assert sha256(data) == file, "a golden file was changed"
    info = nzip.inspect(folder / name)
    raw = nzip.decompress(data)
    assert sha256(raw) == content
    assert info.raw_size == len(raw)
    with nzip.open(io.BytesIO(data)) as opened:
        middle = opened.seek(len(raw) // 2)
        assert opened.read() == raw[middle:]
    # The container by the independent decoder; only the models and the transforms are nzip's own.
    assert spec_decoder.decode(data, ENGINES_OF_NZIP, TRANSFORMS_OF_NZIP) == raw
    assert spec_decoder.decode_backwards(data, ENGINES_OF_NZIP, TRANSFORMS_OF_NZIP) in (None, raw)
