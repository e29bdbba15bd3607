"""How blocks are to be coded, and what one engine makes of bytes: transforms, then the engine."""

from __future__ import annotations

from dataclasses import dataclass, field

from nzip.formats.container.structures import TransformSpec
from nzip.formats.content import estimate
from nzip.formats.content.choice import Size, choose
from nzip.formats.content.kinds import Content, Segment
from nzip.models import progress
from nzip.models.base import Engine
from nzip.models.coding import Coder
from nzip.params import Params
from nzip.process import imported
from nzip.registry import ENGINES, TRANSFORMS
from nzip.settings import Room

REPETITIVE = 4  # one place in so many with eight bytes that stand elsewhere, too
SAMPLED, LARGE = 1 << 9, 1 << 16  # bytes of a tensor in which repeats are looked for, and of one that it is done with
VALUES, RARE = 1 << 12, 32  # so many of its values are looked at; one in so many of them is among the others
SHORT_SOUND = 1 << 16  # bytes of a sound in which predictors have learned little


@dataclass(frozen=True)
class Coding:
    """How blocks are to be coded.

    Attributes:
        engines: names and parameters for a full block, in order: the first that accepts the content codes it, or, where
            it does not make it smaller, the next. The last one is not asked whether it accepts.
        transforms: whether transforms may be tried.
        opened: what may come out of the containers of a full block; None where none is opened.
        block_size: bytes of one.
        verify: decode each block after encoding it; one that does not come back is stored, or left to the engine's
            fallback. None for what the engine asks for.
        beside: what codes blocks beside an old file; None for the last engine.
    """

    engines: tuple[tuple[str, Params], ...] = field(hash=False)
    transforms: bool = True
    opened: Room | None = None
    block_size: int = 0
    verify: bool | None = None
    beside: tuple[str, Params] | None = field(default=None, hash=False)

    @property
    def last(self) -> tuple[Engine, Params]:
        """The engine for content that no other accepts, and its parameters."""
        name, params = self.engines[-1]
        return ENGINES.by_name(name), params

    def room(self, size: int) -> Room | None:
        """Return what may come out of the containers of a block of `size` bytes; None where none is opened."""
        return self.opened.within(self.block_size, size) if self.opened else None


def coded(raw: bytes, content: Content, coding: Coding, engine: Engine, params: Params) -> tuple[Coder, bytes]:
    """Return the coder and the payload of bytes that hold `content`. What it is not shorter than need not decode."""
    imported(*engine.imports)
    data, specs = raw, tuple[TransformSpec, ...]()
    if coding.transforms and engine.takes_transformed:
        data, specs, content = _transformed(raw, content, engine, params)
    found = []
    for each in (params, *engine.rivals(params, len(data))):
        fitted = engine.fit(each, len(data))
        found.append((engine.encode(data, fitted, content), fitted))
    payload, fitted = min(found, key=lambda each: len(each[0]))
    return Coder(engine.id, engine.version, engine.pack(fitted), specs), payload


def _transformed(
    raw: bytes, content: Content, engine: Engine, params: Params
) -> tuple[bytes, tuple[TransformSpec, ...], Content]:
    """Apply the transforms chosen for `raw` before an engine; all or none of them, and none that does not come back.

    Returns:
        The rewritten bytes, the transforms, and what the rewritten bytes hold.
    """
    coded, held = raw, content
    specs: list[TransformSpec] = []
    # A transform that is wrong costs size, whatever way it is wrong.
    try:
        for name, chosen in choose(raw, content, sees_records=engine.sees_records, size=_size_of(engine, params)):
            transform = TRANSFORMS.by_name(name)
            before = coded
            coded = transform.forward(before, chosen)
            if not 0 < len(coded) <= 2 * len(raw) or transform.inverse(coded, len(before), chosen) != before:
                return raw, (), content
            # To look at the new bytes takes as long as to code some: it is done for engines that use what is seen.
            held = (
                transform.content(coded, held, chosen)
                if engine.sees_records
                else Content(tuple(Segment("binary", length) for length in transform.stretches(coded)))
            )
            specs.append(TransformSpec(transform.id, transform.version, transform.pack(chosen), len(coded)))
    except MemoryError:
        raise
    except Exception:
        return raw, (), content
    return coded, tuple(specs), held


def _size_of(engine: Engine, params: Params) -> Size | None:
    """Return what says how many bytes an engine that sees records, and no fields of lines, makes of a sample."""
    if engine.sees_lines or not engine.sees_records:
        return None

    def size(sample: bytes, content: Content) -> int:
        with progress.part(0):
            return engine.sample_size(sample, params, content)

    return size


def _values_again(data: bytes, segment: Segment) -> bool:
    """Whether values of a tensor come again and again: numbers that were made, or taken from a list. Of two bytes there
    are so few different ones that neighbours must show it."""
    import numpy as np

    width = segment.width
    if width < 4:
        start = (len(data) - SAMPLED) // 2
        return estimate.repeated(data[start : start + SAMPLED]) * REPETITIVE >= 256
    values = np.frombuffer(data, f"<u{width}", len(data) // width)
    values = values[:: max(1, len(values) // VALUES)]
    return (len(values) - len(np.unique(values))) * RARE >= len(values)


def doubtful(data: bytes, content: Content, short: int = SHORT_SOUND) -> bool:
    """Return whether an engine of contexts may be better with numbers than the engine that is made for them: they
    repeat each other, as drawn pictures do, or are a sound of `short` bytes at most."""
    if content.whole.kind == "audio" and len(data) <= short:
        return True
    if content.whole.kind == "weights":
        return len(data) >= LARGE and _values_again(data, content.whole)
    return content.whole.numeric and estimate.repeated(data) * REPETITIVE >= 256
