"""The program search: known sequences, every kind of leaf, and that no program is ever wrong or priced wrongly."""

import gzip
import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from nzip.evaluation.measures.kolmogorov import segments
from nzip.evaluation.measures.kolmogorov.dsl import FUNCTIONS, REFERENCE, Line, Program, _radix, bits, parse, run
from nzip.evaluation.measures.kolmogorov.generate import sequences
from nzip.evaluation.measures.kolmogorov.search import Expression, Pool, View, search

RANDOM = [17, 203, 96, 4, 151, 88, 240, 33, 129, 62, 11, 187, 75, 220, 142, 50]  # no two steps alike


def check(sequence: list[int], known: str, effort: int = 2) -> Program:
    """Check that a program as short as the known one is found."""
    assert run(known) == sequence, "the known program itself"
    found = search(sequence, effort=effort)
    assert found is not None
    assert run(found) == sequence
    assert bits(found) <= bits(known) + 1e-9
    return found


def program(*lines: str) -> str:
    return "".join(f"x{at} = {line}\n" for at, line in enumerate(lines, 1)) + f"output x{len(lines)}\n"


class TestKnown:
    @pytest.mark.parametrize(
        "lines",
        [
            ["range(3, 90)"],
            ["range_down(250, 200)"],
            ["range_step(3, 90, 7)"],
            ["repeat(77, 20)"],
            ["repeat(77, 16)", "repeat_list(x1, 6)"],
            ["range(100, 122)", "min(x1, 100)"],  # 23 times 100
            ["range(233, 255)", "max(x1, 255)"],
            ["range_step(5, 80, 5)", "reverse(x1)"],
            ["range_step(10, 250, 6)", "jump(x1, 5)"],  # steps of 30
            ["range_step(10, 250, 6)", "jump(x1, 5)", "reverse(x2)"],
            ["range(5, 120)", "mod(x1, 37)"],
            ["range_step(5, 200, 4)", "mod(x1, 37)"],
            ["range_down(120, 5)", "mod(x1, 37)"],
            ["range_step(5, 200, 4)", "reverse(x1)", "mod(x2, 37)"],
            ["repeat(190, 20)", "scan_add(x1)", "mod(x2, 203)"],
            ["repeat(190, 12)", "repeat_list(x1, 3)", "scan_add(x2)", "mod(x3, 203)"],
            ["range(5, 60)", "max(x1, 30)"],
            ["range(5, 60)", "min(x1, 30)"],
            ["range_step(5, 60, 4)", "max(x1, 30)"],
            ["range_step(5, 60, 4)", "min(x1, 30)"],
            ["range_down(60, 5)", "max(x1, 30)"],
            ["range_down(60, 5)", "min(x1, 30)"],
            ["range(5, 60)", "substitute(x1, 30, 200)"],
            ["range_down(60, 5)", "substitute(x1, 30, 31)"],
            ["list(17, 203, 96, 4, 151)", "repeat_list(x1, 9)"],
            ["list(17, 203, 96, 4, 151)", "repeat_list(x1, 9)", "slice(x2, 0, 42)"],
            ["range(5, 60)", "range_down(200, 170)", "concatenate(x1, x2)"],
            ["range(5, 60)", "range_down(200, 145)", "interleave(x1, x2)"],
            ["range(5, 60)", "range_down(200, 170)", "interleave(x1, x2)"],
            ["repeat(9, 10)", "range_down(200, 130)", "interleave(x1, x2)"],
            ["range(5, 36)", "repeat(9, 16)", "interleave(x2, x1)", "range_step(1, 200, 3)", "interleave(x3, x4)"],
            ["list(17, 203, 96, 4, 151, 88, 240, 33, 129)", "interleave(x1, x1)"],
            ["range(0, 60)", "scan_add(x1)", "mod(x2, 256)"],
            ["range(10, 50)", "repeat(90, 20)", "concatenate(x1, x2)", "scan_add(x3)", "mod(x4, 101)"],
            ["range(1, 20)", "scan_add(x1)"],  # no sum passes a byte
            ["range_step(9, 240, 3)", "scan_add(x1)", "scan_add(x2)", "mod(x3, 90)"],
        ],
    )
    def test_found(self, lines: list[str]) -> None:
        known = program(*lines)
        check(run(known), known)

    def test_price_by_hand(self) -> None:
        # range 4.643856 + 16, the end 4.643856.
        found = search(list(range(3, 91)))
        assert found == parse("x1 = range(3, 90)\noutput x1")
        assert bits(found) == pytest.approx(25.287712, abs=1e-5)

    @pytest.mark.parametrize(
        "again",
        [
            "slice(x1, 0, 15)",
            "slice(x1, 3, 12)",
            "reverse(x1)",
            "add(x1, 9)",
            "subtract(x1, 4)",
        ],
    )
    def test_used_again(self, again: str) -> None:
        values = ", ".join(map(str, RANDOM))
        known = program(
            f"list({values})", "repeat(5, 9)", "concatenate(x1, x2)", again, "concatenate(x3, x4)", "slice(x5, 0, 255)"
        ).replace("x6 = slice(x5, 0, 255)\noutput x6", "output x5")
        check(run(known), known)

    def test_used_again_within_a_literal(self) -> None:
        values = ", ".join(map(str, RANDOM))
        known = program(
            f"list({values})", "list(1, 99, 56)", "concatenate(x1, x2)", "reverse(x1)", "concatenate(x3, x4)"
        )
        check(run(known), known)

    def test_nothing_shorter_than_a_literal(self) -> None:
        assert search(RANDOM) is None
        assert search([7]) is None
        assert search(b"\x07\x09") is None

    def test_bytes_and_lists(self) -> None:
        assert search(bytes(range(40))) == search(list(range(40)))

    @pytest.mark.parametrize("bad", [[], [256], [-1], [0] * 257])
    def test_bad_sequence(self, bad: list[int]) -> None:
        with pytest.raises(ValueError, match="1 to 256 values, 0 to 255"):
            search(bad)

    def test_bad_effort(self) -> None:
        with pytest.raises(ValueError, match="effort is 0 to 3, not 4"):
            search([1, 2, 3], effort=4)

    def test_longest(self) -> None:
        known = program("range(0, 255)")
        check(run(known), known)


class TestNeverWrong:
    @given(st.lists(st.integers(0, 255), min_size=1, max_size=40), st.integers(0, 3))
    def test_any_bytes(self, sequence: list[int], effort: int) -> None:
        found = search(sequence, effort=effort)
        assert found is None or run(found) == sequence

    @settings(max_examples=12)
    @given(st.lists(st.integers(0, 3), min_size=8, max_size=60))
    def test_few_values(self, sequence: list[int]) -> None:
        found = search(sequence, effort=1)
        literal = Program([Line("list", tuple(sequence))])
        assert found is None or (run(found) == sequence and bits(found) < bits(literal))

    @settings(max_examples=8)
    @given(st.integers(0, 10**6), st.sampled_from([20, 60, 100]))
    def test_synthetic(self, seed: int, length: int) -> None:
        for sequence, made in sequences(seed, 4 * length, length):
            found = search(sequence)
            assert found is None or run(found) == sequence
            # What a search of this kind misses are mostly extremes and filters of mixed lists; not by this much.
            assert found is None or bits(found) < bits(made) + 8 * length

    def test_deterministic(self) -> None:
        for sequence, _ in sequences(21, 128 * 3):
            assert search(sequence) == search(sequence)

    def test_effort_never_hurts_much(self) -> None:
        totals = []
        for effort in range(4):
            found = [search(sequence, effort=effort) for sequence, _ in sequences(22, 128 * 4)]
            totals.append(sum(1034 if one is None else bits(one) for one in found))
        assert totals[0] >= totals[1] >= totals[2] >= totals[3]


def price(expression: Expression, reference: float) -> float:
    """What an expression costs with one price for any reference; the concatenation of k is k - 1 lines.

    No list is shared but one that is interleaved with itself.
    """
    distinct = expression.children
    if expression.function == "interleave" and distinct[0].values == distinct[1].values:
        distinct = distinct[:1]
    below = sum(price(child, reference) for child in distinct)
    if expression.function == "concatenate":
        return below + (len(expression.children) - 1) * (math.log2(25) + 2 * reference)
    if expression.function == "list":
        return math.log2(25) + 8 * len(expression.numbers)
    kinds = FUNCTIONS[expression.function].arguments
    assert kinds is not None
    numbers = [math.log2(_radix(kind, 1)[1]) for kind in kinds if kind != REFERENCE]
    return below + math.log2(25) + len(expression.children) * reference + sum(numbers)


@st.composite
def pieces(draw: st.DrawFn) -> list[int]:
    """A list of progressions, level stretches, repeats and wraps, which meet and overlap by chance."""
    values: list[int] = []
    for _ in range(draw(st.integers(1, 4))):
        first, step, count = draw(st.integers(0, 255)), draw(st.integers(-13, 13)), draw(st.integers(1, 9))
        low, high = draw(st.sampled_from([(0, 255), (20, 60), (100, 110)]))
        modulus = draw(st.sampled_from([256, 256, 40, 7]))
        piece = [(first + step * at) % modulus for at in range(count)]
        if draw(st.booleans()):
            piece = [min(max(value, low), high) for value in piece]
        values += piece * draw(st.sampled_from([1, 1, 2, 3]))
    return values[:28]


class TestView:
    @given(pieces(), st.integers(0, 2))
    def test_every_segment(self, values: list[int], depth: int) -> None:
        """Each segment's expression gives the segment and costs what the table says."""
        view = View(np.array(values, np.int64), np.arange(len(values)), depth)
        view.solve(3.0, Pool())
        for a in range(len(values)):
            for b in range(a + 1, len(values) + 1):
                expression = view.expression(a, b, Pool())
                assert list(expression.values) == values[a:b]
                assert price(expression, 3.0) == pytest.approx(view.cost[a, b])

    @given(pieces(), st.integers(2, 256))
    def test_congruent_will_do(self, values: list[int], modulus: int) -> None:
        values = [value % modulus for value in values]
        view = View(np.array(values, np.int64), np.arange(len(values)), 1, modulus)
        view.solve(3.0, Pool())
        for a in range(len(values)):
            expression = view.expression(a, len(values), Pool())
            assert [value % modulus for value in expression.values] == values[a:]
            assert price(expression, 3.0) == pytest.approx(view.cost[a, len(values)])

    @given(pieces(), pieces())
    def test_pool(self, values: list[int], known: list[int]) -> None:
        """Segments that a known list gives are written with it, cut, reversed and shifted as it takes."""
        item = Expression("list", (), known)
        item.places = np.arange(0)  # it stands nowhere in the list
        view = View(np.array(values, np.int64), np.arange(len(values)), 0)
        pool = Pool([item])
        view.solve(3.0, pool)
        for a in range(len(values)):
            for b in range(a + 1, len(values) + 1):
                assert list(view.expression(a, b, pool).values) == values[a:b]

    def test_common(self) -> None:
        values = np.array([1, 2, 1, 2, 1, 3], np.int64)
        same = segments.common(values)
        assert same[0, 2] == 3  # 1 2 1, then 2 is not 3
        assert same[1, 3] == 2
        assert same[0, 1] == 0


def test_a_set_takes_less_than_gzip() -> None:
    made = list(sequences(31, 128 * 20))
    joined = b"".join(bytes(sequence) for sequence, _ in made)
    found = [search(sequence) for sequence, _ in made]
    total = sum(9.3 + 1024 if one is None else bits(one) for one in found) + len(made)  # with a flag for each
    assert total / 8 < len(gzip.compress(joined, 9))
