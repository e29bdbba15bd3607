"""Transform `parts`: plans, what is refused of them, what becomes of content, and which parts get a transform."""

from __future__ import annotations

import random

import pytest
from formats.content.contents import program, riff, tar, wave

from nzip.errors import CorruptError, UnsupportedError
from nzip.formats.content import choice
from nzip.formats.content.choice import choose
from nzip.formats.content.detection import detect
from nzip.formats.content.kinds import Content, Segment
from nzip.formats.transforms.base import Chain
from nzip.formats.transforms.parts import MOST_BYTES, PartsTransform, chain_of

PARTS = PartsTransform()
DELTA: Chain = [("delta", {"stride": 4, "width": 2})]
X86: Chain = [("x86", {})]


def plan_of(chain: Chain) -> str:
    ((name, params),) = chain
    assert name == "parts"
    plan: str = params["plan"]
    return plan


def test_parts_that_nothing_is_done_with_are_joined() -> None:
    assert chain_of([(9, []), (5, [])]) == []
    assert plan_of(chain_of([(9, []), (5, []), (7, X86), (3, []), (4, [])])) == "14;7=x86.1:01"
    assert plan_of(chain_of([(7, X86 + DELTA), (7, X86)])) == "7=x86.1:01,delta.1:04020000;7=x86.1:01"


def test_a_plan_that_is_too_long_to_be_stored_is_none() -> None:
    assert chain_of([(1000 + number, DELTA * 2) for number in range(40)]) == []


STORED = {
    "nothing": (b"", CorruptError),
    "a part of no bytes": (b"\0\1\2\1\1\1", CorruptError),
    "a part that is too long": (b"\x81\x80\x80\x80\x04\1\2\1\1\1", CorruptError),
    "a length that is longer than it need be": (b"\x85\0\1\2\1\1\1", CorruptError),
    "no number of transforms": (b"\5", CorruptError),
    "too many transforms": (b"\5\4" + b"\2\1\1\1" * 4, CorruptError),
    "half a transform": (b"\5\1\2\1", CorruptError),
    "half its parameters": (b"\5\1\1\1\4\1\1\0", CorruptError),
    "parameters that are none": (b"\5\1\2\1\1\7", CorruptError),
    "nothing is done with the last": (b"\5\1\2\1\1\1\5\0", CorruptError),
    "nothing is done with two": (b"\5\0\5\0\5\1\2\1\1\1", CorruptError),
    "parts of a part": (b"\5\1\5\1\6\5\1\2\1\1\1", CorruptError),
    "an unknown transform": (b"\5\1\x3f\1\0", UnsupportedError),
    "a later version": (b"\5\1\2\x09\1\1", UnsupportedError),
}


@pytest.mark.parametrize(("packed", "error"), STORED.values(), ids=STORED)
def test_stored_plans_are_checked(packed: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        PARTS.unpack(packed)


def test_parts_within_parts_end() -> None:
    packed = b"\5\1\2\1\1\1"
    while len(packed) + 5 <= MOST_BYTES:
        packed = b"\5\1\5\1" + bytes((len(packed),)) + packed
    with pytest.raises(CorruptError, match="no parts of its own"):
        PARTS.unpack(packed)


def test_content_is_what_the_transforms_of_the_parts_say() -> None:
    sound = Segment("audio", 900, width=2, channels=2, stride=4, offset=44, confidence=95)
    segments = (Segment("text", 500, 0), sound, Segment("exe-x86", 700), Segment("array", 400, width=4, stride=4))
    whole = Segment("binary", 2500)
    block = random.Random(4).randbytes(2500)
    params = dict(chain_of([(500, []), (900, DELTA), (700, X86), (400, DELTA)])[0][1])
    held = PARTS.content(PARTS.forward(block, params), Content(segments, whole), params)
    assert held.segments[:2] == segments[:2]  # differences of samples are samples
    assert (held.segments[2].kind, held.segments[2].length) == ("exe-x86", 700)
    assert (held.segments[3].kind, held.segments[3].length) == ("binary", 400)  # differences are no numbers any more
    assert held.whole == whole
    # Parts that are no segments leave plain bytes.
    for plan in ("501=x86.1:01", "500;901=x86.1:01", "2500;9=x86.1:01"):
        assert len(PARTS.content(block, Content(segments, whole), {"plan": plan}).segments) == 1


DICE = random.Random(2)
TEXT = b" ".join(DICE.choices([b"the", b"road", b"lay", b"empty", b"under", b"rain"], k=9000))
SOUND = riff(wave(9000, 2, 2, 40), 2, 2)
PROGRAM = b"\x7fELF\2\1\1" + bytes(11) + b"\x3e\0" + program(2500)
ARCHIVE = tar([TEXT, SOUND, PROGRAM])


def test_each_member_of_an_archive_gets_its_own() -> None:
    plan = plan_of(choose(ARCHIVE, detect(ARCHIVE)))
    first, sound, code = plan.split(";")
    assert "=" not in first
    assert sound.split("=")[1].startswith("delta.1:04020000")
    assert code.endswith("=x86.1:01")


def test_only_long_parts_are_measured_where_no_header_describes_them() -> None:
    for text, measured in ((TEXT, True), (TEXT * 12, False)):
        archive = tar([text, SOUND[44:]])
        assert bool(choose(archive, detect(archive))) is measured


def sounds(lengths: list[int]) -> tuple[bytes, Content]:
    """Return a block of sounds without headers, and what would be seen of it."""
    sound = wave(max(lengths) // 4, 2, 2, 40)
    segments = (Segment("audio", length, width=2, channels=2, stride=4, confidence=95) for length in lengths)
    return b"".join(sound[:length] for length in lengths), Content(tuple(segments), Segment("binary", sum(lengths)))


def test_the_shortest_parts_are_left_out_where_the_plan_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    best = choice._best_for_records
    monkeypatch.setattr(choice, "_best_for_records", lambda part, *more: asked.append(len(part)) or best(part, *more))
    lengths = [2000 + 40 * number for number in range(40)]
    chain = choose(*sounds(lengths))
    assert MOST_BYTES - 30 < len(PARTS.pack(dict(chain[0][1]))) <= MOST_BYTES
    first, *rest = plan_of(chain).split(";")
    assert "=" not in first
    assert int(first) == sum(lengths[: 40 - len(rest)])
    assert all("=" in part for part in rest)
    assert asked == sorted(lengths, reverse=True)[: len(rest) + 1]  # and no shorter one is measured


def test_short_parts_are_measured_on_less(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = []
    monkeypatch.setattr(choice, "_best_for_records", lambda part, chains, known, piece: pieces.append(piece) or [])
    assert choose(*sounds([800] * 9 + [8000] * choice.LONGEST)) == []
    assert pieces == [choice.PIECE] * choice.LONGEST + [choice.SHORTER] * 9
