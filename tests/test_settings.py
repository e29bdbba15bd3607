"""`nzip.settings`: what levels, engines and parameters come to."""

from __future__ import annotations

import pytest

import nzip
from nzip.errors import NzipError
from nzip.formats.container.structures import MAX_BLOCK
from nzip.settings import (
    CLOSED,
    CONTENT,
    GENOME_PRESETS,
    GENOMES,
    LATENTS,
    LEVELS,
    MAX_BLOCK_SIZE,
    MIXED,
    OF_BITMAPS,
    WEIGHTS,
    Choice,
    Level,
    Settings,
    named,
    resolve,
)

FAST = ("tensor", {"preset": 1})  # the engine of weights, which levels have before their others
TWO = Settings(engines=(Choice("zstd", {"level": 3}), Choice("cm", {"preset": 2})), block_size=1 << 20)


def test_a_level_alone_is_itself() -> None:
    for number, level in LEVELS.items():
        assert resolve(number) is level
        assert isinstance(level, Level)
        assert len({name for name, _ in level.engines}) == len(level.engines)
    assert resolve() is LEVELS[6]
    assert resolve(TWO) is TWO
    assert resolve(6, block_size=LEVELS[6].block_size) is LEVELS[6]
    assert resolve(6, block_size=1 << 20).engines == LEVELS[6].engines
    assert MAX_BLOCK_SIZE == MAX_BLOCK


@pytest.mark.parametrize(
    ("settings", "engines"),
    [
        (resolve(engine="zstd"), [("zstd", {})]),
        (resolve(1, engine="zstd"), [("zstd", {"level": 3, "window": 23})]),
        (resolve(1, engine="zstd", params={"level": 5}), [("zstd", {"level": 5, "window": 23})]),
        (resolve(1, params={"level": 5}), [FAST, ("zstd", {"level": 5, "window": 23})]),
        (resolve(1, params=["level=5", "window=20"]), [FAST, ("zstd", {"level": 5, "window": 20})]),
        (resolve(1, params=["zstd:level=5,window=20"]), [FAST, ("zstd", {"level": 5, "window": 20})]),
        (resolve(6, engine="zstd:level=7"), [("zstd", {"level": 7})]),
        (resolve(6, engine="zstd:level=7", params=["window=20"]), [("zstd", {"level": 7, "window": 20})]),
        (resolve(TWO, params=["cm:preset=1"]), [("zstd", {"level": 3}), ("cm", {"preset": 1})]),
        (resolve(TWO, params=["zstd:level=9", "cm:preset=1"]), [("zstd", {"level": 9}), ("cm", {"preset": 1})]),
        (resolve(TWO, params=["preset=1"]), [("zstd", {"level": 3}), ("cm", {"preset": 1})]),
        (resolve(TWO, params={"preset": 1}), [("zstd", {"level": 3}), ("cm", {"preset": 1})]),
        (named("nzip"), [(name, dict(params)) for name, params in LEVELS[6].engines]),
        (named("nzip-1"), [FAST, ("zstd", {"level": 3, "window": 23})]),
        (named("cm:preset=2"), [("cm", {"preset": 2})]),
        (named("nzip:cm:preset=2,bits=18"), [("cm", {"preset": 2, "bits": 18})]),
        (named("nzip-1:zstd:level=9"), [("zstd", {"level": 9, "window": 23})]),
    ],
)
def test_what_settings_come_to(settings: Settings, engines: list[tuple[str, dict[str, int]]]) -> None:
    assert [(name, dict(params)) for name, params in settings.engines] == engines


def test_which_levels_open_containers_and_have_engines_for_content() -> None:
    for number, level in LEVELS.items():
        names = [name for name, _ in level.engines]
        assert level.opens == (number > 1)
        assert level.opened is not None
        assert (level.opened == CLOSED) == (not level.opens)
        assert level.opened == CLOSED or level.opened.others >= level.block_size * 3 // 4
        own = [*GENOMES, *[OF_BITMAPS] * (number >= 5), WEIGHTS, *CONTENT] if number >= 3 else [WEIGHTS]
        assert names[:-1] == own
        for name, params in level.engines[:-1]:
            first = max((first for first in GENOME_PRESETS if first <= number), default=0)
            presets = dict.fromkeys(GENOMES, GENOME_PRESETS.get(first)) | {OF_BITMAPS: None}
            preset = presets.get(name, 1 if number < (MIXED if name == WEIGHTS else 7) else 2)
            assert params == ({"preset": preset} if preset else {})
    assert not resolve(6, engine="cm").opens
    assert resolve(6, params=["preset=2"]).opens


def test_settings_are_said_as_they_are_read() -> None:
    assert TWO.words == "zstd:level=3, cm:preset=2"
    assert resolve(engine=TWO.words.partition(", ")[2]).engines == TWO.engines[1:]
    assert resolve(engine="store").words == "store"


@pytest.mark.parametrize(
    ("level", "settings", "message"),
    [
        (0, {}, "level 0 is not in 1..9"),
        ("6", {}, "level '6' is not in 1..9"),
        (6, {"block_size": 1023}, "block size 1023 is not in 1024..1073741824"),
        (6, {"engine": "lzma"}, "no engine is called 'lzma'; there are "),
        (6, {"engine": "latents"}, "engine 'latents' codes only what nzip makes for it, no files; there are "),
        (1, {"engine": "latents:a=1"}, "engine 'latents' codes only what nzip makes for it, no files; there are "),
        (6, {"engine": "zstd:"}, "'' is not written as key=value; engine zstd knows level (1..22), window (10..30)"),
        (6, {"engine": "zstd:level=23"}, "zstd level 23 is not in 1..22"),
        (6, {"engine": "zstd", "params": {"level": 23}}, "zstd level 23 is not in 1..22"),
        (6, {"engine": "zstd", "params": ["cm:preset=2"]}, "'cm:preset=2' is for an engine that does not take part; "),
        (6, {"params": ["level=2"]}, "engine cm does not know the parameter 'level'; it knows preset (1..4)"),
        (6, {"params": ["preset=x"]}, "cm preset 'x' is not in 1..4"),
        (TWO, {"params": ["level=2"]}, "engine cm does not know the parameter 'level'; it knows preset (1..4)"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_allowed(level: int, settings: dict, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        resolve(level, **settings)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("name", ["lzma", "latents", "nzip:latents"])
def test_engines_that_are_not_offered_are_not_listed(name: str) -> None:
    assert resolve(Settings(engines=(LATENTS,), block_size=1 << 20)).engines == (LATENTS,)
    offered = sorted(name for name, engine in nzip.engines().items() if engine.offered)
    assert "latents" not in offered
    with pytest.raises(ValueError) as caught:
        named(name)
    assert str(caught.value).endswith(f"; there are {', '.join(offered)}")


@pytest.mark.parametrize("name", ["nzip-0", "nzip-10", "nzip:", "nzip-6:", "nzip:preset=2", "", "lzma", "nzip-x"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ValueError):
        named(name)


def test_the_memory_is_that_of_the_engine_that_needs_most() -> None:
    alone = [Settings(engines=(choice,), block_size=TWO.block_size).encode_memory() for choice in TWO.engines]
    assert TWO.encode_memory() == max(alone)
    assert TWO.encode_memory(threads=2) - TWO.block_size == 2 * (max(alone) - TWO.block_size)
    assert TWO.encode_memory(1000) < TWO.encode_memory()


def test_a_model_that_is_not_here_is_said_before_anything_is_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("NZIP_MODELS", str(tmp_path))
    with pytest.raises(NzipError, match="is not here"):
        resolve(engine="lm")
