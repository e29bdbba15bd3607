"""nzip.levels"""

import dataclasses

import pytest

import nzip
from nzip.registry import ENGINES
from nzip.settings import DEFAULT_LEVEL


def test_levels_are_1_to_9():
    levels = nzip.levels()
    assert list(levels) == list(range(1, 10))
    assert all(isinstance(level, nzip.Level) and level.number == number for number, level in levels.items())
    assert DEFAULT_LEVEL == 6


def test_engines_of_the_levels():
    engines = [[engine for engine, _ in level.engines] for level in nzip.levels().values()]
    assert [each[-1] for each in engines] == ["zstd"] * 2 + ["cmfast"] * 2 + ["cm"] * 2 + ["cmstrong"] * 3
    content, genomes = ["tensor", "jpeg", "pix", "pcm"], ["dna", "reads"]
    assert [each[:-1] for each in engines] == (
        [["tensor"]] * 2 + [[*genomes, *content]] * 2 + [[*genomes, "bilevel", *content]] * 5
    )


def test_a_level_can_be_read():
    for level in nzip.levels().values():
        assert level.summary
        assert 1 << 20 <= level.block_size <= 1 << 30
        assert level.engines[-1].params
        assert len({engine for engine, _ in level.engines}) == len(level.engines)


def test_levels_cannot_be_changed():
    levels = nzip.levels()
    levels.clear()
    assert len(nzip.levels()) == 9
    with pytest.raises(dataclasses.FrozenInstanceError):
        nzip.levels()[1].engines = ()


@pytest.mark.parametrize("number", range(1, 10))
def test_memory_of_a_thread(number):
    level = nzip.levels()[number]
    assert level.memory > 2 * level.block_size
    # What a level writes, the default memory limit of a reader admits.
    for name, params in level.engines:
        engine = ENGINES.by_name(name)
        fitted = engine.fit(params, level.block_size)
        assert engine.memory(fitted, level.block_size) + 2 * level.block_size <= 2 << 30


@pytest.mark.parametrize("number", [0, 10, -1, "6", None, 2.5])
def test_other_levels_are_refused(number):
    with pytest.raises(ValueError, match=r"not in 1\.\.9"):
        nzip.Compressor(number)
