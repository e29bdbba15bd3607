"""Every engine passes the shared checks."""

import pytest
from models.checks import JIT_OFF, check_engine

from nzip.registry import ENGINES

CASES = [
    ("store", {}),
    ("zstd", {"level": 1, "window": 10}),
    ("zstd", {"level": 3, "window": 23}),
    ("zstd", {"level": 19, "window": 26}),
    ("zstd", {"level": 22, "window": 30}),
    ("midicoth", {}),
    ("midicoth", {"bits": 10}),
    ("cmfast", {}),
    ("cmfast", {"bits": 12, "streams": 1}),
    *(("cm", {"preset": preset, "primer": int(not JIT_OFF)}) for preset in (1, 2, 3)),
    *(("cmstrong", {"preset": preset, "primer": 0}) for preset in (1, 2, 3)[: 1 if JIT_OFF else 3]),
]


@pytest.mark.parametrize(("name", "params"), CASES)
def test_engine(name, params, monkeypatch):
    if JIT_OFF:
        monkeypatch.setattr("nzip.models.cmfast.engine.primer", lambda: b"the cat and the dog")
    check_engine(ENGINES.by_name(name), params)


@pytest.mark.parametrize("preset", [1, 3, 6])
def test_first_version_of_cm(preset):
    check_engine(ENGINES.by_id(2, 1), {"preset": preset})
