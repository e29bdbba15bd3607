"""The transform `lines`: any bytes come back, the plain-Python inverse agrees, and what is damaged is refused."""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
import tracemalloc

import pytest
from formats.content.contents import program, tar
from formats.transforms.naive_lines import log, naive_lines
from hypothesis import given
from hypothesis import strategies as st
from numba import config

import nzip
from nzip.errors import CorruptError
from nzip.formats.container.wire import uleb
from nzip.formats.content import choice
from nzip.formats.content.detection import detect
from nzip.formats.content.kinds import BINARY, Content, Segment
from nzip.formats.content.kinds import TEXT as OF_TEXT
from nzip.formats.transforms.lines import LinesTransform

LINES = LinesTransform()
WORDS = (
    b"INFO", b"user=", b"0", b"007", b"9", b"10", b"123456789012345678", b"1234567890123456789", b"000000000000000000",
    b"12:30:45", b"12:30:45.123", b"12:30:45,123", b"99:59:59:999", b"12:60:45", b"12.30.45.123456", b"1.2.3.4",
    b"10.25.19.102", b"2015-07-29T17:41:44.5Z", b"29T17:41:44", b"2031-04-07", b"0x1b0", b"a1b2", b"k11",
    b"c0de-1f2a-b3c", b"-", b"/", b"\0", b"\1", b"\2\3\1", b"\xff\xfe", b"caf\xc3\xa9", b"\r", b"", b"[", b"]:",
    b"x" * 90,
    b"7" * 60,
)  # fmt: skip

texts = st.builds(
    lambda lines, sep, more, end: sep.join(b" ".join(line) for line in lines for _ in range(more)) + end,
    st.lists(st.lists(st.sampled_from(WORDS), max_size=9), max_size=9),
    st.sampled_from([b"\n", b"\r\n", b"\n\n"]),
    st.integers(1, 5),
    st.sampled_from([b"", b"\n"]),
)


def checked(block: bytes, whole: int, plain: int = 0) -> bytes:
    coded = LINES.forward(block, {"whole": whole, "plain": plain})
    assert len(coded) <= len(block) + 1
    assert LINES.inverse(coded, len(block), {"whole": whole}) == block
    assert naive_lines(coded, len(block)) == block
    assert sum(LINES.stretches(coded)) == len(coded)
    return coded


@given(texts, st.integers(0, 1), st.integers(0, 1))
def test_lines_come_back(block: bytes, whole: int, plain: int) -> None:
    checked(block, whole, plain)
    checked(log(20) + block, whole, plain)


@given(st.binary(max_size=400), st.integers(0, 1))
def test_any_bytes_come_back(block: bytes, whole: int) -> None:
    checked(block, whole)


@pytest.mark.parametrize("whole", [0, 1])
@pytest.mark.parametrize(
    "block",
    [
        log(300),
        log(300)[:-1],
        log(300).replace(b"\n", b"\r\n"),
        log(300).replace(b" ", b"\0"),
        log(300).replace(b"a", b"\xff"),
        log(300) + b"\n" * 99 + log(200),
        log(300) + b"z9" * 3000 + b"\n" + log(300),
        b"".join(b"line %d of templates that are %s\n" % (n, b"a" * (n % 300)) for n in range(3000)),
        b"".join(b"%d %d\n" % (10**17 * (n % 2), 10**17 * (n % 9)) for n in range(400)),
        b"".join(b"id %d again %d\n" % (n * n % 10007 + 10**9, n * n % 10007 + 10**9) for n in range(900)),
    ],
)
def test_awkward_lines_come_back(block: bytes, whole: int) -> None:
    assert checked(block, whole)[0] in (0, 1, 2)
    assert len(checked(block, whole, 1)) <= len(block) + 1


def measured(count: int = 2000, scale: int = 1) -> bytes:
    """Return lines of numbers that rise and fall, and of which the lower part says nothing."""
    dice, lines = random.Random(3), []
    for n in range(count):
        level = 20 + min(n % 120, 120 - n % 120)
        lines.append(b"%05d measured, number %d\n" % ((level << 8) * scale + dice.randrange(256 * scale), n))
    return b"".join(lines)


def test_numbers_whose_bytes_tell_more_than_their_differences_stand_as_they_are() -> None:
    for scale, width in ((1, 2), (1 << 16, 4), (1 << 32, 6)):
        coded, other = checked(measured(scale=scale), 0, 1), checked(measured(scale=scale), 0)
        assert coded != other
        modes = LINES.content(coded, detect(coded), {})  # the head, templates, indexes and then modes
        start = sum(segment.length for segment in modes.segments[:3])
        assert coded[start] // 20 == width, "the measured number"
        assert coded[start + 1] == 1, "the counted one"
    assert checked(measured(60), 0, 1) == checked(measured(60), 0), "too few numbers"


@pytest.mark.parametrize("value", [0, 123456789012345678, 10**18 - 1, 10**18, 1 << 63])
@pytest.mark.parametrize("mode", [161, 179, 160, 180, 141])
def test_plain_numbers_of_eight_bytes(value: int, mode: int) -> None:
    streams = (b"\1 abc\n", b"\0", bytes([mode]), value.to_bytes(8, "big")[:1], value.to_bytes(8, "big")[1:], b"", b"")
    coded = b"".join((b"\1\1\1", *(uleb(len(stream)) for stream in streams[:-1]), *streams))
    block = b"%0*d abc\n" % (18 if mode == 179 else 1, value)
    compare(coded, len(block))
    if mode in (161, 179) and value < 10**18:
        assert LINES.inverse(coded, len(block), {}) == block


@given(st.data())
def test_damage_of_plain_numbers_is_the_plain_ones(data: st.DataObject) -> None:
    block = measured(70, data.draw(st.sampled_from([1, 1 << 32])))
    coded = bytearray(LINES.forward(block, {"plain": 1}))
    at = data.draw(st.one_of(st.integers(0, 60), st.integers(0, len(coded) - 1)))
    coded[at] = data.draw(st.integers(0, 255))
    compare(bytes(coded), len(block))


def test_all_forms_of_times_are_one_field() -> None:
    for time in (b"%02d:%02d:%02d", b"%02d:%02d:%02d.000", b"%02d:%02d:%02d,123", b"%02d:%02d:%02d:999",
                 b"%02d:%02d:%02d.123456", b"%02d:%02d:%02d,000001", b"%02d.%02d.%02d.123456"):  # fmt: skip
        block = b"".join(b"at " + time % (n // 60, n % 60, n * 7 % 60) + b" a line\n" for n in range(90))
        coded = checked(block, 0)
        assert b"at \3" in coded
        assert coded[0] == 1
    assert b"at \1" in checked(b"at 12:61:00 a line\nat 13:62:00 a line\n" * 20, 0)


def test_dates_with_a_t_are_fields() -> None:
    block = b"".join(b"2015-07-29T17:41:%02d.123Z a line\n" % (n % 60) for n in range(90))
    for whole in (0, 1):
        assert b"\1-\1-\1T\3" in checked(block, whole)


def test_what_is_no_log_stays() -> None:
    noise = random.Random(1).randbytes(5000)
    assert LINES.forward(noise, {}) == b"\0" + noise


@given(st.binary(min_size=1, max_size=80), st.integers(0, 200))
def test_the_inverse_of_anything_is_the_plain_ones(coded: bytes, size: int) -> None:
    compare(coded, size)


def compare(coded: bytes, size: int) -> None:
    """Check that both inverses say the same."""
    try:
        expected = naive_lines(coded, size)
    except CorruptError:
        with pytest.raises(CorruptError):
            LINES.inverse(coded, size, {})
        return
    assert LINES.inverse(coded, size, {}) == expected


@given(st.data())
def test_the_inverse_of_damage_is_the_plain_ones(data: st.DataObject) -> None:
    block = log(30) + b"x \1\n" + b"".join(b"%d\n" % (n * n * 999) for n in range(20))
    coded = bytearray(LINES.forward(block, {}))
    assert coded[0]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(coded) - 1))
        what = data.draw(st.sampled_from(("set", "flip", "cut", "more")))
        if what == "set":
            coded[at] = data.draw(st.sampled_from((0, 1, 2, 3, 10, 64, 80, 199, 200, 207, 208, 240, 255)))
        elif what == "flip":
            coded[at] ^= 1 << data.draw(st.integers(0, 7))
        elif what == "cut":
            del coded[at : at + 1]
        else:
            coded.insert(at, coded[at])
        if not coded:
            coded = bytearray(b"\1")
    compare(bytes(coded), len(block))


def made(head: list[int], *streams: bytes, first: int = 1) -> bytes:
    sizes = [len(stream) for stream in streams[:-1]]
    return bytes((first,)) + b"".join(map(uleb, head + sizes)) + b"".join(streams)


GOOD = made([4, 1], b"a\1 \2 \3@\n", bytes(4), b"\1\0\1", b"\2\2\2\2\0\2\2\2", b"", b"\1\0\2\1", b"xy\nz\n")
TEXT = b"a1 xy 00:00:00\na2 xy 00:00:01\na3 xy 00:00:02\na4 z 00:00:03\n"


def test_a_block_made_by_hand() -> None:
    """The example of TRANSFORMS.md."""
    assert naive_lines(GOOD, len(TEXT)) == TEXT
    assert LINES.inverse(GOOD, len(TEXT), {}) == TEXT


@pytest.mark.parametrize(
    ("coded", "size"),
    [
        (GOOD, len(TEXT) - 1),
        (GOOD, len(TEXT) + 1),
        (b"\2" + GOOD[1:], len(TEXT)),
        (b"\3" + GOOD[1:], len(TEXT)),
        (b"\0" + TEXT, len(TEXT) + 1),
        (b"", 5),
        (made([1 << 40, 1], b"\n", b"", b"", b"", b"", b"", b""), 1 << 20),
        (made([1 << 18, 1 << 40], b"\n", b"", b"", b"", b"", b"", b""), 1 << 20),
        (made([1 << 18, 1 << 17], b"\n", b"", b"", b"", b"", b"", b""), 1 << 20),
        (made([1, 1], b"", b"\0", b"", b"", b"", b"", b""), 8),
        (made([1, 1], b"a", b"\0", b"", b"", b"", b"", b""), 8),
        (made([1, 1], b"\1", b"\0", b"\1", b"\0", b"", b"", b""), 8),
        (made([1, 1], b"\3", b"\0", b"\1", b"\0", b"", b"", b""), 8),
        (made([1, 1], b"\3\n", b"\0", b"\1", b"\0", b"", b"", b""), 8),
        (made([2, 1], b"\1" * 100 + b"\n", b"\0\0", b"\1", bytes(200), b"", b"", b""), 202),
        (made([2, 1], b"\1\n", b"\0\xff", b"\1", b"\0\0", b"", b"", b""), 8),
        (made([2, 1], b"\1\n", b"\0\1", b"\1", b"\0\0", b"", b"", b""), 8),
        (made([2, 1], b"\1\n", b"\0\0", b"\x14", b"\0\0", b"", b"", b""), 8),
        (made([2, 1], b"\1\n", b"\0\0", b"\1", b"\1\0", b"", b"", b""), 8),
        (made([2, 1], b"\1\n", b"\0\0", b"\1", b"\xcf\0", b"\xff" * 8, b"", b""), 8),
        (made([2, 1], b"\1\n", b"\0\0", b"\1", b"\xcf\0", b"\x7f" * 8, b"", b""), 8),
        (made([2, 1], b"\1\n", b"\0\0", b"\1", b"\xd0\0", b"\0" * 9, b"", b""), 8),
        (made([2, 1], b"\2\n", b"\0\0", b"\0", b"", b"", b"\0\1", b"abc\n"), 8),
        (made([2, 1], b"\2\n", b"\0\0", b"\0", b"", b"", b"\1\3", b"abc\n"), 8),
        (made([2, 1], b"\2\n", b"\0\0", b"\0", b"", b"", b"\1\0", b"abc"), 8),
        (made([2, 1], b"\2\n", b"\0\0", b"\1", b"\0\0", b"", b"", b""), 8),
    ],
)
def test_what_cannot_be_is_refused(coded: bytes, size: int) -> None:
    compare(coded, size)
    tracemalloc.start()
    try:
        with pytest.raises(CorruptError):
            LINES.inverse(coded, size, {})
        assert tracemalloc.get_traced_memory()[1] < 7 * (size + len(coded)) + (1 << 16)
    finally:
        tracemalloc.stop()


@pytest.mark.compiled
def test_memory_is_bounded_where_all_is_fields() -> None:
    block = b"".join(b"%d %d %d\n" % (n % 7, n * n % 10, n % 9) for n in range(1 << 15)) + log(9000)
    coded = LINES.forward(block, {})
    for act in (lambda: LINES.forward(block, {}), lambda: LINES.inverse(coded, len(block), {})):
        tracemalloc.start()
        try:
            act()
            assert tracemalloc.get_traced_memory()[1] < 6 * len(block) + (4 << 20)
        finally:
            tracemalloc.stop()


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="takes minutes without compiled code")
@pytest.mark.parametrize("level", range(1, 10))
def test_levels_that_see_no_fields_take_it(level: int) -> None:
    block = log(1200)
    packed = nzip.compress(block, level)
    assert nzip.decompress(packed) == block
    steps = [step[0] for step in nzip.inspect(io.BytesIO(packed)).blocks[0].transforms]
    assert steps == (["lines"] if level < 5 else [])


@pytest.mark.parametrize("whole", [0, 1])
def test_templates_and_strings_are_text_to_engines(whole: int) -> None:
    block = log(1200)
    coded = LINES.forward(block, {"whole": whole})
    content = LINES.content(coded, detect(block), {"whole": whole})
    assert content.size == len(coded)
    held, at = [], 0
    for segment in content.segments:
        held.append((segment.cls, coded[at : at + segment.length]))
        assert (segment.kind == "text") == (segment.cls == OF_TEXT)
        at += segment.length
    texts = [data for cls, data in held if cls == OF_TEXT]
    assert len(texts) == 2
    assert texts[1] == held[-1][1]
    templates = texts[0].split(b"\n")[:-1]
    assert templates == sorted(set(templates))
    assert not any(segment.record for segment in content.segments)


def test_what_stays_as_it_is_holds_what_it_seems() -> None:
    block = b"nothing here repeats at all, and no number stands in it\n"
    coded = LINES.forward(block, {})
    assert coded == b"\0" + block
    assert LINES.content(coded, detect(block), {}).size == len(coded)
    assert LINES.content(b"", detect(block), {}).size == 0


class Asked:
    """What an engine makes of samples: so many parts of 100 of what it is given, by its number of segments."""

    def __init__(self, plain: int, columns: int) -> None:
        self.share = {False: plain, True: columns}
        self.seen: list[tuple[int, bool]] = []

    def __call__(self, sample: bytes, content: Content) -> int:
        assert content.size == len(sample)
        columns = len(content.segments) > 1
        self.seen.append((len(sample), columns))
        return len(sample) * self.share[columns] // 100


@pytest.mark.parametrize(("columns", "taken"), [(40, True), (400, False)])
def test_samples_tell_whether_it_pays(columns: int, taken: bool) -> None:
    block = log(12000)
    size = Asked(40, columns)
    chosen = choice.choose(block, detect(block), size=size)
    assert [name for name, _ in chosen] == ["lines"] * taken
    (plain,) = [length for length, split in size.seen if not split]
    assert plain <= len(block) // 8
    assert all(length * 8 <= plain * 5 for length, split in size.seen if split)


def test_short_logs_and_other_texts_are_not_sampled() -> None:
    size = Asked(40, 1)
    for block in (log(1200)[: choice.SHORTEST_CODED], b"It was the best of times, it was the worst of times,\n" * 900):
        assert choice.choose(block, detect(block), size=size) == []
    assert choice.choose(log(1200), detect(log(1200))) == []  # whoever sees fields has no use for it
    assert size.seen == []


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="takes minutes without compiled code")
@pytest.mark.parametrize(("name", "same"), [("zstd", True), ("cmfast", False)])
def test_a_sample_is_coded_without_a_primer(name: str, same: bool) -> None:
    block = log(1200)[:20000]
    engine = nzip.engines()[name]
    size = engine.sample_size(block, {}, detect(block))
    assert (size == len(engine.encode(block, engine.fit({}, len(block)), detect(block)))) == same


def test_a_text_without_numbers_is_not_looked_at_twice() -> None:
    text = b"It was the best of times, it was the worst of times,\n" * 900
    assert LINES.repays(text, {}) is False
    assert choice.choose(text, detect(text), sees_records=False) == []


def test_rare_words_are_fields_where_it_pays() -> None:
    dice = random.Random(5)
    names = ["".join(dice.choices("abcdefghijkl", k=9)) for _ in range(700)]
    block = "".join(
        f"2031-04-07 12:{n // 60 % 60:02}:{n % 60:02} unpack {dice.choice(names)} (2.{dice.randrange(9)}-1) over\n"
        for n in range(3000)
    ).encode()
    assert choice.choose(block, detect(block), sees_records=False) == [("lines", {"whole": 1, "plain": 0})]


def test_archives_of_logs_are_logs() -> None:
    block = tar([log(300 + 50 * n) for n in range(9)])
    assert [name for name, _ in choice.choose(block, detect(block, apart=False), sees_records=False)] == ["lines"]
    content = detect(block)
    assert [name for name, _ in choice.choose(block, content, size=Asked(40, 40))] == ["lines"]
    programs = Content((*content.segments, Segment("exe-x86", 9000, BINARY)), content.whole)
    assert choice.choose(block + program(900)[:9000], programs, size=Asked(40, 40)) == []
    noise = random.Random(7).randbytes(1 << 17)
    assert LINES.repays(noise, {}) is False


@pytest.mark.compiled
def test_searches_see_the_text() -> None:
    block = log(3000)
    for level in (1, 2):
        packed = nzip.compress(block, level, block_size=1 << 16, searchable=True)
        wanted = [line for line in block.split(b"\n") if b"harbour" in line]
        assert [line for _, line in nzip.grep(io.BytesIO(packed), "harbour")] == wanted


@pytest.mark.compiled
def test_without_the_compiler() -> None:
    code = (
        "import sys, warnings; warnings.simplefilter('error'); sys.path.insert(0, 'tests')\n"
        "from formats.transforms.test_lines import LINES, WORDS, checked, compare, log\n"
        "block = log(12) + b'\\n'.join(b' '.join(WORDS[n % 7 :: 3]) for n in range(12))\n"
        "for whole in (0, 1):\n"
        "    coded = checked(block, whole)\n"
        "    for at in range(0, len(coded), 97):\n"
        "        compare(coded[:at] + bytes([coded[at] ^ 64]) + coded[at + 1 :], len(block))\n"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": "."}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
