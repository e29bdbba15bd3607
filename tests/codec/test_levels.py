"""nzip.levels"""

import dataclasses
import importlib.util

import pytest

import nzip
from nzip.registry import ENGINES
from nzip.settings import DEFAULT_LEVEL

HAS_CM = importlib.util.find_spec("nzip.models.cm.engine") is not None


def test_levels_are_1_to_9():
    levels = nzip.levels()
    assert list(levels) == list(range(1, 10))
    assert all(isinstance(level, nzip.Level) and level.number == number for number, level in levels.items())
    assert DEFAULT_LEVEL == 6


def test_engines_of_the_levels():
    engines = [level.engine for level in nzip.levels().values()]
    assert engines == ["zstd"] * 2 + ["cmfast"] * 2 + ["cm"] * 2 + ["cmstrong"] * 3


def test_a_level_can_be_read():
    for level in nzip.levels().values():
        assert level.summary
        assert 1 << 20 <= level.block_size <= 1 << 30
        assert level.params


def test_levels_cannot_be_changed():
    levels = nzip.levels()
    levels.clear()
    assert len(nzip.levels()) == 9
    with pytest.raises(dataclasses.FrozenInstanceError):
        nzip.levels()[1].engine = "store"


@pytest.mark.parametrize("number", range(1, 10))
def test_memory_of_a_thread(number):
    level = nzip.levels()[number]
    if level.engine == "cm" and not HAS_CM:
        pytest.skip("the engine cm is not there yet")
    assert level.memory > 2 * level.block_size
    # What a level writes, the default memory limit of a reader admits.
    engine = ENGINES.by_name(level.engine)
    params = engine.fit(level.params, level.block_size)
    assert engine.memory(params, level.block_size) + 2 * level.block_size <= 2 << 30


@pytest.mark.parametrize("number", [0, 10, -1, "6", None, 2.5])
def test_other_levels_are_refused(number):
    with pytest.raises(ValueError, match=r"not in 1\.\.9"):
        nzip.Compressor(number)
