"""The language of the KoLMogorov test: each price by hand, the code, reading, running, and the same as Python."""

import itertools
import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from nzip.evaluation.measures.kolmogorov import dsl
from nzip.evaluation.measures.kolmogorov.dsl import (
    DslError,
    Line,
    Program,
    bits,
    decode,
    encode,
    exact_bits,
    line_bits,
    parse,
    run,
)

# log2 of 25 = 24 functions and the end, of 20, of 2 and of 3, as a table of logarithms has them.
CODE, TWENTY, TWO, THREE = 4.643856, 4.321928, 1.0, 1.584963
EXAMPLE = "x1 = range(3, 9)\nx2 = repeat(0, 5)\nx3 = interleave(x1, x2)\noutput x3\n"


def python(program: Program | str) -> list[int]:
    names: dict[str, list[int]] = {}
    exec(dsl.to_python(program), {}, names)
    return names["output"]


def references_to(number: int) -> st.SearchStrategy[int]:
    return st.integers(1, number - 1)


@st.composite
def programs(draw: st.DrawFn, most: int = 8) -> Program:
    """Any program that can be written, also one that cannot run."""
    lines: list[Line] = []
    for number in range(1, draw(st.integers(1, most)) + 1):
        able = [f for f in dsl.FUNCTIONS.values() if number > 1 or dsl.REFERENCE not in (f.arguments or ())]
        function = draw(st.sampled_from(able))
        if function.arguments is None:
            arguments = draw(st.lists(st.integers(0, 255), min_size=1, max_size=9))
        else:
            arguments = [
                draw(references_to(number) if kind == dsl.REFERENCE else st.integers(*dsl.DOMAINS[kind]))
                for kind in function.arguments
            ]
        lines.append(Line(function.key, tuple(arguments)))
    return Program(lines)


class TestBits:
    @pytest.mark.parametrize(
        ("line", "price"),
        [
            ("list(7, 8, 9)", 3 * 8),
            ("range(3, 9)", 16),
            ("range_down(9, 3)", 16),
            ("range_step(3, 9, 2)", 8 + 8 + 3),
            ("repeat(3, 9)", 8 + TWENTY),
            ("reverse(x2)", THREE),
            ("repeat_list(x2, 3)", THREE + 3),
            ("jump(x2, 3)", THREE + 3),
            ("slice(x2, 0, 1)", THREE + 16),
            ("substitute(x2, 0, 1)", THREE + 16),
            ("add(x2, 5)", THREE + 8),
            ("subtract(x2, 0)", THREE + 8),
            ("mod(x2, 256)", THREE + 8),
            ("max(x2, 5)", THREE + 8),
            ("min(x2, 5)", THREE + 8),
            ("even(x1)", THREE),
            ("odd(x1)", THREE),
            ("nonzero(x1)", THREE),
            ("scan_add(x1)", THREE),
            ("add(x1, x2)", 2 * THREE),
            ("subtract(x1, x2)", 2 * THREE),
            ("mod(x1, x2)", 2 * THREE),
            ("concatenate(x1, x2)", 2 * THREE),
            ("interleave(x1, x2)", 2 * THREE),
        ],
    )
    def test_line(self, line: str, price: float) -> None:
        # As third line, so a reference is one of log2(3) = 1.584963 bits; and the choice of the function.
        program = parse(f"x1 = list(1, 2)\nx2 = reverse(x1)\nx3 = {line}\noutput x3")
        first = CODE + 2 * 8
        second = CODE + TWO
        assert line_bits(program) == pytest.approx([first, second, CODE + price, CODE], abs=1e-5)
        assert bits(program) == pytest.approx(first + second + CODE + price + CODE, abs=1e-5)

    def test_every_function_is_priced_above(self) -> None:
        assert len(dsl.FUNCTIONS) == 24
        assert pytest.approx(math.log2(24 + 1)) == dsl.CODE_BITS

    def test_program(self) -> None:
        # range 4.643856 + 16; repeat 4.643856 + 8 + 4.321928; interleave 4.643856 + 2 * 1.584963; output 4.643856.
        assert bits(EXAMPLE) == pytest.approx(20.643856 + 16.965784 + 7.813781 + 4.643856, abs=1e-5)
        assert exact_bits(EXAMPLE) == pytest.approx(bits(EXAMPLE))

    def test_exact_counts_lengths_of_literals(self) -> None:
        program = "x1 = list(1, 2)\nx2 = list(5)\nx3 = concatenate(x1, x2)\noutput x3"
        assert exact_bits(program) == pytest.approx(bits(program) + 2 * 8)


class TestCode:
    def test_by_hand(self) -> None:
        # repeat is function 4 of 25, the value 3 one of 256, the count 9 the 9th of 20, the end code 24 of 25:
        # 4 + 25 * (3 + 256 * (8 + 20 * 24)) = 3,123,279; 25 * 256 * 20 * 25 = 3,200,000 takes 22 bits, 3 bytes.
        program = parse("x1 = repeat(3, 9)\noutput x1")
        assert encode([program]) == (3_123_279).to_bytes(3, "little")
        assert decode(encode([program])) == [program]

    def test_sizes(self) -> None:
        # 25 * 256 * 20 * 25 is 21.6 bits: 3 bytes for one, 6 bytes (43.2 bits) for two, 9 (64.8) for three.
        program = parse("x1 = repeat(3, 9)\noutput x1")
        assert [len(encode([program] * count)) for count in (0, 1, 2, 3)] == [0, 3, 6, 9]

    @given(st.lists(programs(), max_size=4))
    def test_round_trip(self, some: list[Program]) -> None:
        data = encode(some)
        assert decode(data, len(some)) == some
        assert len(data) == math.ceil(round(sum(map(exact_bits, some)), 6) / 8)

    @given(st.binary(max_size=40))
    def test_any_bytes(self, data: bytes) -> None:
        try:
            found = decode(data)
        except DslError:
            return
        assert encode(found) == data

    def test_kraft(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # With two choices for every number, and literals of one or two values, all programs of one and of two lines.
        small = {dsl.VALUE: (0, 1), dsl.MODULUS: (1, 2), dsl.COUNT: (1, 2), dsl.FACTOR: (2, 3)}
        monkeypatch.setattr(dsl, "DOMAINS", small)
        monkeypatch.setattr(dsl, "MAX_ITEMS", 2)

        def lines(number: int) -> list[Line]:
            found = []
            for function in dsl.FUNCTIONS.values():
                for kinds in [function.arguments] if function.arguments else [(dsl.VALUE,), (dsl.VALUE,) * 2]:
                    choices = [
                        range(1, number) if kind == dsl.REFERENCE else range(small[kind][0], small[kind][1] + 1)
                        for kind in kinds
                    ]
                    found += [Line(function.key, arguments) for arguments in itertools.product(*choices)]
            return found

        one = [Program([line]) for line in lines(1)]
        two = [Program([first, second]) for first in lines(1) for second in lines(2)]
        # A literal has 2 + 4 forms; range and range_down 4 each, range_step 8, repeat 4.
        assert len(one) == 6 + 4 + 4 + 8 + 4
        # The 5 initiators use all that their codes allow, then the end is one choice of 25: 5 / 25 * 1 / 25.
        assert math.fsum(2 ** -exact_bits(program) for program in one) == pytest.approx(5 / 625)
        # In line 2 an initiator (5 of 25), or one of 14 with one reference, which has 1 of its 2 codes, or one of 5
        # with two, which have 1 of 4.
        second = (5 + 14 / 2 + 5 / 4) / 25
        assert math.fsum(2 ** -exact_bits(program) for program in two) == pytest.approx(5 / 25 * second / 25)
        for program in one + two:
            assert decode(encode([program])) == [program]


class TestText:
    @given(programs())
    def test_round_trip(self, program: Program) -> None:
        assert parse(str(program)) == program

    def test_as_written(self) -> None:
        assert str(parse(EXAMPLE)) == EXAMPLE
        loose = "\n x1=range( 3,9 )\n\nx2 = repeat(0,5)\nx3= interleave(x1 , x2)\noutput  x3\n\n"
        assert parse(loose) == parse(EXAMPLE)

    def test_arguments_tell_functions_apart(self) -> None:
        program = parse("x1 = list(5, 6)\nx2 = mod(x1, 4)\nx3 = mod(x1, x1)\noutput x3")
        assert [line.function for line in program] == ["list", "mod_number", "mod_lists"]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "line 1: the program ends without an output line"),
            ("x1 = range(0, 4)\n", "line 2: the program ends without an output line"),
            ("output x1", "line 1: output takes the list of the line before it"),
            ("x1 = list(1)\nx2 = list(2)\noutput x1", "line 3: output takes the list of the line before it"),
            ("x1 = list(1)\noutput x1\nx2 = list(1)", "line 3: nothing may follow the output line"),
            ("x2 = list(1)", "line 1: this line makes x1, not x2"),
            ("x1 = zip(1)", "line 1: no function is called zip"),
            ("import os", "line 1: expected `x1 = function(arguments)`"),
            ("x1 = list(-1)", "line 1: '-1' is neither a number nor a list such as x1"),
            ("x1 = list()", "line 1: '' is neither"),
            ("x1 = list(256)", "line 1: value 256 is outside 0 to 255"),
            ("x1 = repeat(1, 0)", "line 1: count 0 is outside 1 to 20"),
            ("x1 = range_step(0, 9, 1)", "line 1: factor 1 is outside 2 to 9"),
            ("x1 = list(1)\nx2 = mod(x1, 0)", "line 2: modulus 0 is outside 1 to 256"),
            ("x1 = reverse(x1)", "line 1: x1 is not a list of an earlier line"),
            ("x1 = list(1)\nx2 = reverse(x0)", "line 2: x0 is not a list of an earlier line"),
            ("x1 = range(1)", "line 1: range takes (value, value)"),
            ("x1 = list(1)\nx2 = add(3, x1)", "line 2: add takes (list, value or list, list)"),
            ("x1 = list(" + "1, " * 256 + "1)", "line 1: list takes 1 to 256 values"),
            ("".join(f"x{i} = list(1)\n" for i in range(1, 258)), "line 257: a program has 256 lines at most"),
        ],
    )
    def test_errors(self, text: str, said: str) -> None:
        with pytest.raises(DslError) as caught:
            parse(text)
        assert str(caught.value).startswith(said)

    def test_a_program_made_by_hand_is_checked(self) -> None:
        for program in (Program(), Program([Line("zip", (1,))]), Program([Line("reverse", (1,))])):
            with pytest.raises(DslError, match="line 1"):
                bits(program)
        with pytest.raises(DslError, match="takes 2 arguments, not 1"):
            run(Program([Line("range", (1,))]))


class TestRun:
    @pytest.mark.parametrize(
        ("line", "made"),
        [
            ("list(7, 0, 255)", [7, 0, 255]),
            ("range(253, 255)", [253, 254, 255]),
            ("range(4, 4)", [4]),
            ("range_down(2, 0)", [2, 1, 0]),
            ("range_step(3, 9, 4)", [3, 7]),
            ("repeat(3, 2)", [3, 3]),
            ("reverse(x1)", [8, 0, 6, 5]),
            ("repeat_list(x1, 2)", [5, 6, 0, 8, 5, 6, 0, 8]),
            ("jump(x1, 3)", [5, 8]),
            ("slice(x1, 1, 2)", [6, 0]),
            ("slice(x1, 2, 255)", [0, 8]),
            ("substitute(x1, 6, 1)", [5, 1, 0, 8]),
            ("add(x1, 200)", [205, 206, 200, 208]),
            ("mod(x1, 6)", [5, 0, 0, 2]),
            ("max(x1, 6)", [6, 6, 6, 8]),
            ("min(x1, 6)", [5, 6, 0, 6]),
            ("even(x1)", [6, 0, 8]),
            ("odd(x1)", [5]),
            ("nonzero(x1)", [5, 6, 8]),
            ("scan_add(x1)", [5, 11, 11, 19]),
            ("add(x1, x2)", [15, 26]),
            ("subtract(x2, x1)", [5, 14]),
            ("mod(x1, x2)", [5, 6]),
            ("concatenate(x2, x1)", [10, 20, 5, 6, 0, 8]),
            ("interleave(x1, x2)", [5, 10, 6, 20, 0, 8]),
            ("interleave(x2, x1)", [10, 5, 20, 6, 0, 8]),
        ],
    )
    def test_function(self, line: str, made: list[int]) -> None:
        program = f"x1 = list(5, 6, 0, 8)\nx2 = list(10, 20)\nx3 = {line}\noutput x3"
        assert run(program) == made
        assert python(program) == made

    def test_numbers_on_the_way_may_leave_the_bytes(self) -> None:
        program = "x1 = list(5, 9)\nx2 = subtract(x1, 7)\nx3 = mod(x2, 256)\noutput x3"
        assert run(program) == python(program) == [254, 2]

    @pytest.mark.parametrize(
        ("lines", "said"),
        [
            (["range(9, 3)"], "line 1: range from 9 to 3 runs backwards"),
            (["range_down(3, 9)"], "line 1: range_down from 3 to 9 runs backwards"),
            (["range_step(9, 3, 2)"], "line 1: range_step from 9 to 3 runs backwards"),
            (["list(1)", "slice(x1, 5, 4)"], "line 2: slice from 5 to 4 runs backwards"),
            (["range(0, 3)", "mod(x1, x1)"], "line 2: a number is divided by zero"),
            (["range(0, 255)", "concatenate(x1, x1)"], "line 2: the list has 512 items, 256 at most"),
            (["range(0, 255)", "interleave(x1, x1)"], "line 2: the list has 512 items"),
            (["range(0, 28)", "repeat_list(x1, 9)"], "line 2: the list has 261 items"),
            (["list(255)", "add(x1, 1)"], "line 3: the output holds 256, outside 0 to 255"),
            (["list(5)", "subtract(x1, 6)"], "line 3: the output holds -1"),
        ],
    )
    def test_errors(self, lines: list[str], said: str) -> None:
        text = "".join(f"x{number} = {line}\n" for number, line in enumerate(lines, 1)) + f"output x{len(lines)}"
        with pytest.raises(DslError) as caught:
            run(text)
        assert str(caught.value).startswith(said)

    def test_numbers_are_capped(self) -> None:
        # Sums of sums of 256 times 255: 65,280, then 255 * 256 * 257 / 2 = 8,388,480, then about 7.2e8, then 4.6e10.
        scans = "".join(f"x{i} = scan_add(x{i - 1})\n" for i in range(4, 8))
        text = f"x1 = repeat(255, 16)\nx2 = repeat_list(x1, 8)\nx3 = repeat_list(x2, 2)\n{scans}output x7"
        with pytest.raises(DslError, match="line 7: a number is larger than 2147483647"):
            run(text)

    def test_growth_ends_at_the_cap(self) -> None:
        doubling = "".join(f"x{i} = concatenate(x{i - 1}, x{i - 1})\n" for i in range(2, 257))
        with pytest.raises(DslError, match="line 10: the list has 512 items"):
            run(f"x1 = list(1)\n{doubling}output x256")

    @given(programs())
    def test_same_as_python(self, program: Program) -> None:
        try:
            made = run(program)
        except DslError:
            return
        assert python(program) == made

    def test_an_empty_list_may_come_out(self) -> None:
        assert run("x1 = list(1)\nx2 = even(x1)\noutput x2") == []


def test_pruned() -> None:
    lines = parse("x1 = list(1)\nx2 = list(2)\nx3 = add(x2, x2)\nx4 = list(4)\nx5 = concatenate(x3, x2)\noutput x5")
    assert str(dsl.pruned(lines, 5)) == "x1 = list(2)\nx2 = add(x1, x1)\nx3 = concatenate(x2, x1)\noutput x3\n"
