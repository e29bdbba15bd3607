"""What is gathered of blocks, beside a plain reading of the specification (FORMAT.md, section 2.10)."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nzip.formats.container.search import DOTTED, LETTERS, MOST_CARRIED, NUMBERS, Known
from nzip.formats.search.gather import MOST_TORN, Gatherer, is_text, kind_of
from nzip.formats.search.layout import LONGEST
from nzip.formats.search.times import FORMS, time_of

PIECES = (
    b"session", b"a", b"10.0.0.1", b"1.2.3.4.5", b"1234", b"99999.1", b"...", b" ", b"-", b"\n", b"caf\xc3\xa9",
    b"\xe6\x97\xa5\xe6\x9c\xac", b"\xff", b"\x80", b"2015-07-29 17:41:44 ", b"x" * 70, b"\xf0\x9f\x98\x80",
)  # fmt: skip


def naive_words(line: bytes) -> set[bytes]:
    """The words of a line."""
    found = set(re.findall(rb"[A-Za-z]+", line))
    found |= set(
        re.findall(rb"[\xc0-\xdf][\x80-\xbf]{0,1}|[\xe0-\xef][\x80-\xbf]{0,2}|[\xf0-\xff][\x80-\xbf]{0,3}", line)
    )
    for run in re.findall(rb"[0-9.]+", line):
        found |= {run} if run.count(b".") >= 3 else set(re.findall(rb"[0-9]{4,}", run))
    return found


def gathered(blocks: list[bytes]) -> Known | None:
    gatherer = Gatherer()
    for number, block in enumerate(blocks):
        gatherer.add(number, block)
    return gatherer.known()


def words_of(known: Known, number: int) -> set[bytes]:
    listed = known.words[1:].split(b"\n")[:-1]
    count = len(known.lines)
    return {word for at, word in enumerate(listed) if any(a <= number < b for a, b in known.steps.blocks(at, count))}


def check(blocks: list[bytes]) -> None:
    """Compare with what lines say that are simply cut where blocks begin."""
    known = gathered(blocks)
    content = b"".join(blocks)
    starts = [sum(map(len, blocks[:number])) for number in range(len(blocks) + 1)]
    assert known is not None
    assert known.ended == content.endswith(b"\n")
    assert list(known.lines) == [block.count(b"\n") for block in blocks]
    place, wanted = 0, [set[bytes]() for _ in blocks]
    begins: list[list[tuple[int, bytes]]] = [[] for _ in blocks]
    for line in content.splitlines(keepends=True) if b"\r" not in content else ():
        owner = max(number for number in range(len(blocks)) if starts[number] <= place)
        wanted[owner] |= naive_words(line)
        begins[owner].append((place, line))
        place += len(line)
    for number in range(len(blocks)):
        size = len(blocks[number])
        first = begins[number][0][0] - starts[number] if begins[number] else size
        assert known.skipped[number] == first
        kept = {word for word in wanted[number] if len(word) <= LONGEST and kind_of(word) & known.kinds}
        assert words_of(known, number) == kept
        assert bool(known.open[number]) == any(len(w) > LONGEST for w in wanted[number] if kind_of(w) != NUMBERS)
        last = begins[number][-1] if begins[number] else (0, b"")
        rest = last[1][starts[number + 1] - last[0] :] if begins[number] else b""
        if rest.endswith(b"\n"):
            assert known.carried[number] == (rest if len(rest) <= MOST_CARRIED else b"")
        else:
            assert known.carried[number] == b""
    if known.times is None:
        return
    time = None
    for number in range(len(blocks)):
        found = [] if time is None or not begins[number] else [time]
        for _, line in begins[number]:
            value = time_of(line, 0, FORMS[known.times.form])
            time = time if value is None else value
            found += [] if time is None else [time]
        ends = known.times.ranges[number]
        assert all(ends is not None and ends[0] <= each <= ends[1] for each in found)
        assert known.times.last[number] == time


@given(st.integers(0, 1 << 30), st.sampled_from([1, 7, 40, 300]))
def test_each_block_has_its_words(seed: int, size: int) -> None:
    chance = random.Random(seed)
    start = b"2015-07-29 17:41:44 the first line is of some length, as those of logs are\n" * 8
    content = start + b"".join(chance.choice(PIECES) for _ in range(chance.randrange(200)))
    cuts = sorted({len(start), *(chance.randrange(len(start), len(content) + 1) for _ in range(size % 13 + 2))})
    cuts = [cut for cut in cuts if cut < len(content)]
    if cuts:
        check([content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)])


def test_blocks_that_come_again_change_nothing() -> None:
    blocks = [b"2015-07-29 17:41:44 a line of a log that has some words\nand one of th", b"em is torn\nthe last\n"]
    gatherer = Gatherer()
    for number in (0, 0, 1, 0, 1, 1):
        gatherer.add(number, blocks[number])
    known, once = gatherer.known(), gathered(blocks)
    assert known is not None
    assert once is not None
    assert known[:7] == once[:7]
    assert known.steps.stored == once.steps.stored


@pytest.mark.parametrize(
    "blocks",
    [
        [bytes(range(256)) * 40],
        [b"a line of text, long enough to be one of a log\n" * 40, b"zero \0\n"],
        [b"a\n" * 1000],
        [b"x" * 5000 + b"\n"],
        [b"a line of text, long enough to be one of a log\n" * 40, b"y" * (MOST_TORN + 1)],
    ],
)
def test_what_is_no_text_has_no_table(blocks: list[bytes]) -> None:
    assert gathered(blocks) is None


def test_kinds_can_be_left_out() -> None:
    gatherer = Gatherer()
    gatherer.add(0, b"2015-07-29 17:41:44 connect from 10.0.0.1 with number 123456\n")
    assert kind_of(b"connect") == LETTERS
    assert kind_of(b"10.0.0.1") == DOTTED
    assert kind_of(b"123456") == NUMBERS
    for kinds, gone in ((0, b""), (NUMBERS, b"123456"), (DOTTED, b"10.0.0.1"), (LETTERS, b"connect")):
        known = gatherer.without(kinds)
        assert known is not None
        assert not gone or gone not in known.words
    assert known.words == b"\n"


@pytest.mark.parametrize(("bound", "most"), [("MOST_KEPT", 60), ("MOST_STEPS", 150)])
@pytest.mark.parametrize(("line", "kinds"), [
    (b"2015-07-29 17:41:44 connect from 10.0.0.1 with number %d\n", LETTERS | DOTTED),
    (b"2015-07-29 17:41:44 connect from 10.%d.0.1 with number 55555\n", LETTERS),
])  # fmt: skip
def test_words_that_are_too_many_go_and_others_stay(
    monkeypatch: pytest.MonkeyPatch, bound: str, most: int, line: bytes, kinds: int
) -> None:
    """As where times and numbers of a long log are never twice the same."""
    monkeypatch.setattr(f"nzip.formats.search.gather.{bound}", most)
    blocks = [b"".join(line % (100003 * number + k) for k in range(9)) for number in range(12)]
    blocks[5] = blocks[5][:-1] + b" zymurgical\n" + blocks[5][:30]
    blocks[6] = blocks[5][30:]
    check(blocks)
    known = gathered(blocks)
    assert known is not None
    assert known.kinds == kinds
    assert [b"zymurgical" in words_of(known, number) for number in range(12)] == [
        number in (5, 6) for number in range(12)
    ]


def test_is_text() -> None:
    assert is_text(b"a line of a log, which has some bytes\n" * 3)
    assert not is_text(b"")
    assert not is_text(b"no line end")


def test_without_the_compiler(tmp_path: object) -> None:
    """The loop over words is the same without the compiler, and nothing overflows."""
    code = (
        "import warnings; warnings.simplefilter('error')\n"
        "from tests.formats.search.test_words import check, PIECES\n"
        "first = b'2015-07-29 17:41:44 first line of a log\\n' * 9\n"
        "check([first + b' '.join(PIECES), b' torn\\n' + b'z'.join(PIECES)])\n"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
