"""Every engine passes the shared checks."""

import importlib.util

import pytest
from models.checks import JIT_OFF, check_engine

from nzip.codec.registry import ENGINES

HAS_CM = importlib.util.find_spec("nzip.models.cm.engine") is not None
cm = pytest.mark.skipif(not HAS_CM, reason="the engine cm is not there yet")

CASES = [
    ("store", {}),
    ("zstd", {"level": 1, "window": 10}),
    ("zstd", {"level": 3, "window": 23}),
    ("zstd", {"level": 19, "window": 26}),
    ("zstd", {"level": 22, "window": 30}),
    *(pytest.param("cm", {"preset": preset}, marks=cm) for preset in (range(1, 7) if not JIT_OFF else (1, 6))),
]


@pytest.mark.parametrize(("name", "params"), CASES)
def test_engine(name, params):
    check_engine(ENGINES.by_name(name), params)
