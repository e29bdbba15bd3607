"""Transform `parts`: other transforms, each on its own part of the block.

An archive holds sounds, programs and texts; what suits one of them spoils the others. docs/reference/TRANSFORMS.md
defines the stored plan, which says where parts begin and what is done with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from nzip.errors import CorruptError, UnsupportedError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.content.kinds import Content
from nzip.formats.transforms.base import Chain, Transform, expect_size
from nzip.params import Parameters, Params, Text
from nzip.registry import TRANSFORMS

MOST_LENGTH = 1 << 30
MOST_STEPS = 3  # transforms of a part
MOST_BYTES = 255  # of a stored plan
STEP = r"[A-Za-z0-9_]{1,40}\.\d{1,3}:[0-9a-f]{0,500}"
PART = rf"\d{{1,10}}(={STEP}(,{STEP}){{0,{MOST_STEPS - 1}}})?"


class Step(NamedTuple):
    """A transform with its stored parameters."""

    transform: Transform
    packed: bytes


class Part(NamedTuple):
    """The next `length` bytes of a block, and what is done with them."""

    length: int
    steps: tuple[Step, ...]


class PartsTransform(Transform):
    """Applies other transforms to parts of the block; the length stays."""

    name = "parts"
    id = 5
    version = 1
    parameters = Parameters(
        "transform parts",
        Text(
            name="plan",
            default=None,
            pattern=rf"{PART}(;{PART}){{0,200}}",
            about="lengths of parts, each with its transforms: 300;900=delta.1:04020002",
            help="The parts of the block, and what is done with each; what is behind them stays.",
        ),
    )

    def pack(self, params: Params) -> bytes:
        return _packed(self._parts(params))

    def unpack(self, packed: bytes) -> dict[str, Any]:
        return {"plan": _text(_unpacked(packed))}

    def forward(self, block: bytes, params: Params) -> bytes:
        out, at = [], 0
        for part in self._parts(params):
            data = block[at : at + part.length]
            at += part.length
            for transform, packed in part.steps if data else ():
                data = _same(transform.forward(data, transform.unpack(packed)), data)
            out.append(data)
        return b"".join([*out, block[at:]])

    def inverse(self, coded: bytes, size: int, params: Params) -> bytes:
        expect_size(self.name, coded, size)
        out, at = [], 0
        for part in self._parts(params):
            data = coded[at : at + part.length]
            at += part.length
            for transform, packed in reversed(part.steps) if data else ():
                data = _same(transform.inverse(data, len(data), transform.unpack(packed)), data)
            out.append(data)
        return b"".join([*out, coded[at:]])

    def content(self, coded: bytes, content: Content, params: Params) -> Content:
        """Return what the transforms of the parts say of them; the parts are segments of the content, in order."""
        starts, at = {}, 0
        for part in self._parts(params):
            starts[at] = part
            at += part.length
        held, at = list[Content](), 0
        for segment in content.segments:
            held.append(Content((segment,)))
            part = starts.pop(at, Part(segment.length, ()))
            if part.length == segment.length:
                for transform, packed in part.steps:
                    data = coded[at : at + segment.length]
                    held[-1] = transform.content(data, held[-1], transform.unpack(packed))
            elif part.steps:
                return super().content(coded, content, params)
            at += segment.length
        if any(part.steps for part in starts.values()):
            return super().content(coded, content, params)
        return Content(tuple(each.whole for each in held), content.mixed)

    def _parts(self, params: Params) -> list[Part]:
        plan = self.parameters.check(params)["plan"]
        if plan is None:
            raise ValueError("transform parts needs the parameter 'plan'")
        found = [_part(text) for text in plan.split(";")]
        _check(found)
        return found


def chain_of(found: Iterable[tuple[int, Chain]]) -> Chain:
    """Return one chain for a block: the chains of its parts, which follow each other and are so many bytes long.

    The chain is empty where nothing is to be done, or where the plan is too long to be stored.
    """
    parts = _joined([Part(length, tuple(_step(name, params) for name, params in chain)) for length, chain in found])
    if not parts or len(_packed(parts)) > MOST_BYTES:
        return []
    return [(PartsTransform.name, {"plan": _text(parts)})]


def _joined(parts: list[Part]) -> list[Part]:
    """Return the parts with those that nothing is done with joined, and without the last ones of them."""
    out: list[Part] = []
    for part in parts:
        if out and not out[-1].steps and not part.steps:
            out[-1] = Part(out[-1].length + part.length, ())
        else:
            out.append(part)
    return out[:-1] if out and not out[-1].steps else out


def _step(name: str, params: Params) -> Step:
    transform: Transform = TRANSFORMS.by_name(name)
    return Step(transform, transform.pack(params))


def _same(data: bytes, before: bytes) -> bytes:
    if len(data) != len(before):
        raise CorruptError("a transform of a part changes its length")
    return data


def _check(parts: list[Part]) -> None:
    """Check what the form of a plan does not say.

    Raises:
        ValueError: a part has no bytes or too many, or nothing is done with the last, or with two in a row.
    """
    if not all(1 <= part.length <= MOST_LENGTH for part in parts):
        raise ValueError(f"a part has no bytes, or more than {MOST_LENGTH:,}")
    if not parts or parts != _joined(parts):
        raise ValueError("nothing is done with the last part, or with two that follow each other")


def _part(text: str) -> Part:
    length, _, steps = text.partition("=")
    found = []
    for step in steps.split(",") if steps else ():
        name, version, digits = re.split(r"[.:]", step)
        try:
            transform: Transform = TRANSFORMS.by_id(TRANSFORMS.by_name(name).id, int(version))
        except UnsupportedError as error:
            raise ValueError(str(error)) from None
        found.append(_read(transform, bytes.fromhex(digits)))
    return Part(int(length), tuple(found))


def _read(transform: Transform, packed: bytes) -> Step:
    if isinstance(transform, PartsTransform):
        raise ValueError("a part has no parts of its own")
    try:
        transform.unpack(packed)
    except CorruptError as error:
        raise ValueError(str(error)) from None
    return Step(transform, packed)


def _text(parts: list[Part]) -> str:
    return ";".join(
        f"{part.length}" + "=" * bool(part.steps) + ",".join(
            f"{step.transform.name}.{step.transform.version}:{step.packed.hex()}" for step in part.steps
        )
        for part in parts
    )  # fmt: skip


def _packed(parts: list[Part]) -> bytes:
    out = bytearray()
    for part in parts:
        out += uleb(part.length)
        out.append(len(part.steps))
        for transform, packed in part.steps:
            out += bytes((transform.id, transform.version, len(packed))) + packed
    return bytes(out)


def _unpacked(packed: bytes) -> list[Part]:
    reader, parts = Reader(packed), list[Part]()
    try:
        while reader.left():
            length, count = reader.uleb(), reader.u8()
            if count > MOST_STEPS:
                raise ValueError(f"a part has {count} transforms")
            steps = []
            for _ in range(count):
                transform: Transform = TRANSFORMS.by_id(reader.u8(), reader.u8())
                steps.append(_read(transform, reader.bytes(reader.u8())))
            parts.append(Part(length, tuple(steps)))
        _check(parts)
    except ValueError as error:
        raise CorruptError(f"the parameters of transform parts are malformed: {error}") from None
    return parts
