"""Settings of an encoder: levels 1..9, and what a level, an engine and parameters that users name come to.

`resolve` is the one place where these are put together, for the command, the library and the measures alike.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from nzip.registry import ENGINES

MIB = 1 << 20
DEFAULT_LEVEL = 6
MIN_BLOCK_SIZE, MAX_BLOCK_SIZE = 1 << 10, 1 << 30
LEAST_REPEATED = 1 << 16  # bytes of content, and of a block, that repeats are looked for in
MOST_REPEATED = 48 << 20  # bytes of content of a block that are copies, at most,
REPEATED = 3  # and so many times as many as a block's size
LEAST_OPENED = 9 * MIB  # bytes that may come out of the containers of a block, though it is smaller
SAMPLED, MOST_SAMPLED = 4, 64 * MIB  # so many times as many samples of pictures and sounds
SEARCHED = 2  # level from which on text gets a table for searches
OPENS, OWN, STRONG = 2, 3, 7  # levels from which on containers are opened, and content has engines of its own; strong
MOST_EXPANDED, LEAST_ROOM = 256, 1 << 16  # but no more than so many times a block's bytes, and these
OWN_MEMORY = 160 * MIB  # bytes of memory that decoding a part of an engine of content may take, or what the last
# engine of the level takes for LEAST_LAST bytes
LEAST_LAST = MIB
GRAIN = 1 << 16  # bytes of a part are counted in so many
ENCODING = 3  # halves of OWN_MEMORY that encoding such a part may take
TRANSFORMING = 7  # times the bytes that transforms rewrite: they, what they become, and what is taken beside
MOST_HELD, MOST_OPENING = 3, 6  # times the bytes of all streams: what putting them together takes, and opening
CONTENT = ("jpeg", "pix", "pcm")  # engines of pictures and sounds
WEIGHTS, MIXED = "tensor", 4  # the engine of weights, and the level from which on it mixes contexts
BITMAPS, OF_BITMAPS = 5, "bilevel"  # the level from which on bitmaps have an engine, which is slower than level 4's
GENOMES = ("dna", "reads")  # engines of nucleotides, and their preset by the first level that has it
GENOME_PRESETS = {9: 4, STRONG: 3, 6: 2, OWN: 1}
RECORDS_ENGINE = "circuit"  # the engine that is meant where a model of records is named
MODEL_ENGINE = "lm"  # the engine that is meant where a model is named, and no engine


class Choice(NamedTuple):
    """One engine of an encoder's list.

    Attributes:
        engine: its name.
        params: its parameters for a full block; its own defaults where one is left out.
    """

    engine: str
    params: Mapping[str, Any]


class Room(NamedTuple):
    """Bytes that may come out of the containers of a block.

    Attributes:
        total: all together.
        others: those of them that the last engine of a level codes with the block's own. More come out only of
            pictures and sounds, whose engines take memory for a part of them.
        drawn: pixels that have no such engine, and that the last one codes in a part of their own where there are more
            than fit into `others`.
    """

    total: int
    others: int
    drawn: int = 0

    def within(self, block: int, size: int) -> Room:
        """Return the room of a block of `size` bytes: what one of `block` bytes may have in all."""
        if not self.total:
            return self
        more = max(0, block - size)
        rooms = (self.total + more, self.others + more, self.drawn)
        return Room(*(min(room, MOST_EXPANDED * size + LEAST_ROOM) for room in rooms))


CLOSED = Room(0, 0)  # of blocks whose containers stay closed, while files that are nothing but weights are seen
STORED = Choice("store", {})
GENERAL = Choice("cm", {})  # for any content, where no level is asked
LATENTS = Choice("latents", {})
SEARCH_TABLE = Choice("zstd", {"level": 19, "window": 26})  # for what searches go by: it is to be read at once


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How content is cut and coded.

    Attributes:
        engines: in order; the first that accepts a block's content codes it; the last one is not asked.
        block_size: bytes cut from the input at a time. A larger block compresses better; the blocks of an input are
            coded side by side when there are threads for them.
        reach: how far back repeats are looked for, in bytes that are no repeats themselves; a power of two, or 0 for
            not at all. Decoding keeps as many.
        beside: what codes blocks beside an old file that they are like; None for the last of the engines.
        opens: whether containers in blocks are opened.
        searched: whether text gets a table of its words and times, where that costs next to nothing.
    """

    engines: tuple[Choice, ...] = field(hash=False)
    block_size: int
    reach: int = 0
    beside: Choice | None = None
    opens: bool = False
    searched: bool = False

    @property
    def opened(self) -> Room | None:
        """What may come out of the containers of a block; None where nothing is looked for in one."""
        if not self.opens:
            return CLOSED if any(choice.engine == WEIGHTS for choice in self.engines[:-1]) else None
        others = max(self.block_size * 3 // 4, LEAST_OPENED)
        samples = max(others, min(SAMPLED * others, MOST_SAMPLED))
        return Room(others + samples, others, self.block_size * 7 // 8)

    def encode_memory(self, size: int | None = None, threads: int = 1) -> int:
        """Return the bytes of memory that compressing `size` bytes (None if unknown) needs.

        Beside what coding takes these are for each thread a block and its payload, or the chunk made of both; and
        the block that is being filled. What Python and compiled code take (some 150 MB) is not counted.
        """
        block = self.block_size if size is None else max(1, min(self.block_size, size))
        each = block_memory(self.engines, block, self._room(block), encoding=True)
        return block + threads * (each + 2 * block) + self._repeats_memory(size)

    def decode_memory(self, size: int | None = None) -> int:
        """Return the bytes of memory that decoding a block of `size` bytes (None for a full one) needs at most, with
        its payload and what is kept for blocks that copy."""
        block = self.block_size if size is None else max(1, min(self.block_size, size))
        return 2 * block + block_memory(self.engines, block, self._room(block)) + self.reach * self.finds_repeats

    def _room(self, size: int) -> Room | None:
        return self.opened.within(self.block_size, size) if self.opened else None

    @property
    def finds_repeats(self) -> bool:
        """Whether repeats are looked for: not in small blocks, of which each should be read quickly."""
        return self.reach > 0 and self.block_size >= LEAST_REPEATED

    @property
    def most_content(self) -> int:
        """Bytes of content in a block at most: copies come beside as much as a block holds without."""
        return self.block_size + min(MOST_REPEATED, REPEATED * self.block_size) * self.finds_repeats

    def _repeats_memory(self, size: int | None) -> int:
        """Return the bytes of memory that looking for repeats takes: what is looked in, and more content in a block."""
        if not self.finds_repeats or (size is not None and size < LEAST_REPEATED):
            return 0
        most = self.reach + self.reach // 2 + self.most_content
        return most if size is None else min(most, 3 * size)

    @property
    def cuts(self) -> bool:
        """Whether blocks can be cut by the size of their payloads."""
        cuts: bool = ENGINES.by_name(self.engines[-1].engine).cuts
        return cuts

    @property
    def words(self) -> str:
        """The engines with their parameters, as `resolve` reads them."""
        return ", ".join(name + ":" * bool(params) + _text(params) for name, params in self.engines)


@dataclass(frozen=True, kw_only=True)
class Level(Settings):
    """One level.

    Attributes:
        number: 1..9.
        summary: what it is for, in a few words.
    """

    number: int
    summary: str

    @property
    def memory(self) -> int:
        """Bytes of memory that one thread needs to encode full blocks."""
        return self.encode_memory()


def _level(
    number: int, engine: str, params: dict[str, Any], block_size: int, summary: str, reach: int = 0
) -> Level:
    """Return a level whose blocks `engine` codes, but for those of the content that has engines of its own."""
    own = list[Choice]()
    if number >= OWN:
        genomes = next(preset for first, preset in GENOME_PRESETS.items() if number >= first)
        own += [Choice(name, {"preset": genomes}) for name in GENOMES]
    if number >= BITMAPS:
        own.append(Choice(OF_BITMAPS, {}))
    own.append(Choice(WEIGHTS, {"preset": 1 if number < MIXED else 2}))
    if number >= OWN:
        own += [Choice(name, {"preset": 1 if number < STRONG else 2}) for name in CONTENT]
    return Level(
        number=number,
        engines=(*own, Choice(engine, params)),
        block_size=block_size,
        opens=number >= OPENS,
        searched=number >= SEARCHED,
        reach=reach,
        # Most of such a block is copied, and the rest is worth a closer look.
        beside=GENERAL if OWN <= number < STRONG else None,
        summary=summary,
    )


LEVELS: dict[int, Level] = {
    level.number: level
    for level in (
        _level(1, "zstd", {"level": 3, "window": 23}, 8 * MIB, "fastest"),
        _level(2, "zstd", {"level": 12, "window": 24}, 16 * MIB, "fast, decodes fast", 64 * MIB),
        _level(3, "cmfast", {"streams": 2}, 8 * MIB, "context mixing at several MB/s", 64 * MIB),
        _level(4, "cmfast", {"streams": 1}, 12 * MIB, "the same, a little smaller and slower", 64 * MIB),
        _level(5, "cm", {"preset": 2}, 12 * MIB, "context mixing, quicker than the default", 64 * MIB),
        _level(6, "cm", {"preset": 3}, 12 * MIB, "the default", 64 * MIB),
        _level(7, "cmstrong", {"preset": 1}, 48 * MIB, "more contexts", 128 * MIB),
        _level(8, "cmstrong", {"preset": 2}, 48 * MIB, "many contexts", 128 * MIB),
        _level(9, "cmstrong", {"preset": 3}, 48 * MIB, "smallest", 128 * MIB),
    )
}


def own_memory(engines: Sequence[tuple[str, Mapping[str, Any]]]) -> int:
    """Return the bytes of memory that decoding a part may take, if it is of another engine than the last one."""
    return max(OWN_MEMORY, _memory(engines[-1], LEAST_LAST))


def has_room(
    choice: tuple[str, Mapping[str, Any]], size: int, engines: Sequence[tuple[str, Mapping[str, Any]]]
) -> bool:
    """Return whether an engine that is not the last one may code a part of `size` bytes."""
    return _fits(choice, size, _share(choice, own_memory(engines)))


def _share(choice: tuple[str, Mapping[str, Any]], own: int) -> int:
    """Return the bytes of memory, of `own_memory`, that decoding a part of an engine may take: less where its payload,
    which is there twice, is nearly as large as the part."""
    return own * 7 // 8 if choice[0] == WEIGHTS else own


def _fits(choice: tuple[str, Mapping[str, Any]], size: int, memory: int) -> bool:
    return _memory(choice, size) <= memory and _memory(choice, size, encoding=True) <= memory * ENCODING // 2


def largest_part(
    choice: tuple[str, Mapping[str, Any]], engines: Sequence[tuple[str, Mapping[str, Any]]]
) -> int:
    """Return how many bytes, in whole grains, such an engine may code: one grain at least."""
    return _largest_part(choice, own_memory(engines))


def _largest_part(choice: tuple[str, Mapping[str, Any]], own: int) -> int:
    return _largest(choice[0], tuple(sorted(choice[1].items())), _share(choice, own))


@lru_cache(maxsize=256)
def _largest(engine: str, params: tuple[tuple[str, Any], ...], memory: int) -> int:
    choice, grains = (engine, dict(params)), range(1, MAX_BLOCK_SIZE // GRAIN)
    return GRAIN * max(1, bisect_left(grains, True, key=lambda number: not _fits(choice, number * GRAIN, memory)))


def block_memory(
    engines: Sequence[tuple[str, Mapping[str, Any]]], size: int, room: Room | None = None, *, encoding: bool = False
) -> int:
    """Return the bytes of memory that coding a block takes at most, beside its bytes and its payload.

    Who makes blocks keeps to this: a block that takes more is coded in another way.

    Args:
        engines: a level's; all but the last code parts that take no more than `own_memory` to decode.
        size: bytes of the block.
        room: what may come out of its containers; None where none is opened.
        encoding: whether the block is encoded.
    """
    general, drawn, streams = (size + room.others, room.drawn, size + room.total) if room else (size, 0, 0)
    held = MOST_OPENING if encoding else MOST_HELD
    need = max(held * streams, (streams if encoding else 0) + TRANSFORMING * general)
    own = own_memory(engines) if engines[:-1] else 0
    for choice in engines[:-1]:
        weights = choice[0] == WEIGHTS
        part = min(_largest_part(choice, own), general if weights else max(general, streams))
        need = max(need, streams + part * weights + _memory(choice, part, encoding))
    # All streams are there while one is coded, and what a transform made of it; who decodes begins with general bytes.
    beside = streams + general if encoding else min(streams, general)
    if drawn:
        need = max(need, max(beside, general + drawn) + _memory(engines[-1], drawn, encoding))
    return max(need, beside + _memory(engines[-1], general, encoding))


def _memory(choice: tuple[str, Mapping[str, Any]], size: int, encoding: bool = False) -> int:
    name, params = choice
    engine = ENGINES.by_name(name)
    fitted = engine.fit(params, size)
    found: int = engine.encode_memory(fitted, size) if encoding else engine.memory(fitted, size)
    return found


def levels() -> dict[int, Level]:
    """Return the levels by number."""
    return dict(LEVELS)


def resolve(
    level: int | Settings = DEFAULT_LEVEL,
    *,
    engine: str | None = None,
    params: Mapping[str, Any] | Sequence[str] | None = None,
    block_size: int | None = None,
) -> Settings:
    """Return what a level, an engine, parameters and a block size that users name come to.

    Args:
        level: 1..9; or settings that were resolved before, to be changed or returned.
        engine: in place of the level's: `"cm"`, or with parameters `"cm:preset=2,bits=18"`.
        params: for that engine, or the level's last one, which codes all that has no engine of its own; what the
            level says of this engine, and they do not, stays. As texts they may name another: `"preset=2"`,
            `"pix:preset=2"`.
        block_size: in place of the level's.

    Raises:
        ValueError: one is unknown or out of range.
    """
    settings = level if isinstance(level, Settings) else LEVELS.get(level) if isinstance(level, int) else None
    if settings is None:
        raise ValueError(f"level {level!r} is not in 1..9")
    if block_size is None:
        block_size = settings.block_size
    if not MIN_BLOCK_SIZE <= block_size <= MAX_BLOCK_SIZE:
        raise ValueError(f"block size {block_size} is not in {MIN_BLOCK_SIZE}..{MAX_BLOCK_SIZE}")
    engines = {name: dict(own) for name, own in settings.engines}
    if engine is not None:
        name, colon, texts = engine.partition(":")
        asked = _offered(name)
        engines = {name: engines.get(name, {})}
        if colon:
            engines[name].update(asked.parameters.parse(texts.split(",")))
    for name, changes in _changes(engines, params).items():
        engines[name].update(changes)
    if engine is None and not params:
        if block_size == settings.block_size:
            return settings
    else:
        for name, own in engines.items():
            coder = ENGINES.by_name(name)
            coder.pack(coder.fit(own, block_size))
    choices = tuple(Choice(*item) for item in engines.items())
    # Who asks for bytes as they are wants no copies either.
    last = choices[-1].engine
    reach = 0 if last == STORED.engine or not ENGINES.by_name(last).takes_copies else settings.reach
    opens = settings.opens and engine is None
    beside = settings.beside if engine is None and not params else None
    return Settings(
        engines=choices,
        block_size=block_size,
        opens=opens,
        reach=reach,
        beside=beside,
        searched=settings.searched and choices[-1].engine != STORED.engine,
    )


def named(name: str) -> Settings:
    """Return the settings that measures call `nzip`, `nzip-9`, `cm`, `cm:preset=2,bits=18` or `nzip-9:cm:preset=2`.

    Raises:
        ValueError: there are none of this name.
    """
    whole = re.fullmatch(r"nzip(?:-([0-9]{1,9}))?(?::(.+))?", name)
    if whole is None:
        return resolve(engine=name)
    return resolve(int(whole[1] or DEFAULT_LEVEL), engine=whole[2])


def _offered(name: str) -> Any:
    """Return the engine of this name, which users may ask for.

    Raises:
        ValueError: there is none, or what it codes is only made by another part of nzip.
    """
    try:
        engine = ENGINES.by_name(name)
    except ValueError:
        wrong = f"no engine is called {name!r}"
    else:
        if engine.offered:
            return engine
        wrong = f"engine {name!r} codes only what nzip makes for it, no files"
    raise ValueError(f"{wrong}; there are {', '.join(sorted(n for n in ENGINES if ENGINES.by_name(n).offered))}")


def _changes(
    engines: Mapping[str, Any], params: Mapping[str, Any] | Sequence[str] | None
) -> dict[str, dict[str, Any]]:
    """Return which parameters of which engines `params` change."""
    texts: dict[str, list[str]] = {}
    known = ", ".join(engines)
    for text in params if isinstance(params, Sequence) else ():
        name, colon, rest = text.partition(":")
        if not colon or "=" in name:
            name, rest = list(engines)[-1], text
        if name not in engines:
            raise ValueError(f"{text!r} is for an engine that does not take part; there are {known}")
        texts.setdefault(name, []).extend(rest.split(","))
    found = {name: ENGINES.by_name(name).parameters.parse(own) for name, own in texts.items()}
    if isinstance(params, Mapping) and params:
        found[list(engines)[-1]] = dict(params)
    return found


def _text(params: Mapping[str, Any]) -> str:
    return ",".join(f"{key}={value}" for key, value in params.items())
