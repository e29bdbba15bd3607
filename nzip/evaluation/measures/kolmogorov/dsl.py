"""A small language of lists of numbers, with a price in bits for every program: the prior of the KoLMogorov test.

Yoran et al., "The KoLMogorov Test: compression by code generation" (ICLR 2025), judge short programs that print a
sequence of bytes, and give those written in a language of 24 functions a uniform prior: a line costs the choice of its
function (or of the end) and of each argument among all that could stand there. Which functions and which prices follow
that paper; the syntax, and what it leaves open, is ours (docs/reference/EVALUATION.md holds the table and each
decision).

    x1 = range(3, 9)
    x2 = repeat(0, 5)
    x3 = interleave(x1, x2)
    output x3

A line names the list it makes, `x` and the line's number; it may use lists of lines above. The last line ends the
program and gives the list of the line before it. Invariants: `parse(str(p)) == p`; `decode(encode(p)) == p`; a program
either runs within the caps below or raises `DslError`, and it gives the same on every machine.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

MAX_ITEMS = 256  # of any list
MAX_LINES = 256  # without the output line; with MAX_ITEMS it bounds the steps of a run
MAX_VALUE = (1 << 31) - 1  # of any number on the way, either sign

REFERENCE, VALUE, MODULUS, COUNT, FACTOR = "list", "value", "modulus", "count", "factor"
DOMAINS = {VALUE: (0, 255), MODULUS: (1, 256), COUNT: (1, 20), FACTOR: (2, 9)}  # lowest and highest; 8, 8, 4.3, 3 bits


class DslError(ValueError):
    """A program that cannot be read or run; the message names the line and what is wrong."""


@dataclass(frozen=True)
class Function:
    """A function of the language: how it is written, and what its arguments are.

    Attributes:
        key: its own name, as `Line.function` holds it.
        name: as written; two functions may share one where their arguments tell them apart.
        arguments: the kind of each; None for `list`, which takes 1 to 256 values.
        python: the same as a Python expression of its arguments {0}, {1}, {2}.
    """

    key: str
    name: str
    arguments: tuple[str, ...] | None
    python: str


_ALL = (
    Function("list", "list", None, "[{0}]"),
    Function("range", "range", (VALUE, VALUE), "list(range({0}, {1} + 1))"),
    Function("range_down", "range_down", (VALUE, VALUE), "list(range({0}, {1} - 1, -1))"),
    Function("range_step", "range_step", (VALUE, VALUE, FACTOR), "list(range({0}, {1} + 1, {2}))"),
    Function("repeat", "repeat", (VALUE, COUNT), "[{0}] * {1}"),
    Function("reverse", "reverse", (REFERENCE,), "{0}[::-1]"),
    Function("repeat_list", "repeat_list", (REFERENCE, FACTOR), "{0} * {1}"),
    Function("jump", "jump", (REFERENCE, FACTOR), "{0}[::{1}]"),
    Function("slice", "slice", (REFERENCE, VALUE, VALUE), "{0}[{1}:{2} + 1]"),
    Function("substitute", "substitute", (REFERENCE, VALUE, VALUE), "[{2} if v == {1} else v for v in {0}]"),
    Function("add_number", "add", (REFERENCE, VALUE), "[v + {1} for v in {0}]"),
    Function("subtract_number", "subtract", (REFERENCE, VALUE), "[v - {1} for v in {0}]"),
    Function("mod_number", "mod", (REFERENCE, MODULUS), "[v % {1} for v in {0}]"),
    Function("max", "max", (REFERENCE, VALUE), "[max(v, {1}) for v in {0}]"),
    Function("min", "min", (REFERENCE, VALUE), "[min(v, {1}) for v in {0}]"),
    Function("even", "even", (REFERENCE,), "[v for v in {0} if v % 2 == 0]"),
    Function("odd", "odd", (REFERENCE,), "[v for v in {0} if v % 2 == 1]"),
    Function("nonzero", "nonzero", (REFERENCE,), "[v for v in {0} if v != 0]"),
    Function("scan_add", "scan_add", (REFERENCE,), "[s for s, x in [(0, {0})] for v in x for s in [s + v]]"),
    Function("add_lists", "add", (REFERENCE, REFERENCE), "[a + b for a, b in zip({0}, {1})]"),
    Function("subtract_lists", "subtract", (REFERENCE, REFERENCE), "[a - b for a, b in zip({0}, {1})]"),
    Function("mod_lists", "mod", (REFERENCE, REFERENCE), "[a % b for a, b in zip({0}, {1})]"),
    Function("concatenate", "concatenate", (REFERENCE, REFERENCE), "{0} + {1}"),
    Function(
        "interleave",
        "interleave",
        (REFERENCE, REFERENCE),
        "[v for pair in zip({0}, {1}) for v in pair] + {0}[len({1}):] + {1}[len({0}):]",
    ),
)
FUNCTIONS = {function.key: function for function in _ALL}
_CODES = {function.key: code for code, function in enumerate(_ALL)}
END = len(_ALL)  # the code of the output line, which ends a program
CODE_BITS = math.log2(END + 1)
SEPARATOR_BITS = 0.0  # between programs that follow one another: each one's output line says that it ends


class Line(NamedTuple):
    """What a line calls: a key of `FUNCTIONS`, and its arguments; a reference is the number of an earlier line."""

    function: str
    arguments: tuple[int, ...]


class Program(tuple[Line, ...]):
    """The lines of a program, first to last, without the output line that ends each; `str` writes it."""

    __slots__ = ()

    def __str__(self) -> str:
        lines = []
        for number, (key, arguments) in enumerate(self, 1):
            shown = ", ".join(
                f"x{argument}" if kind == REFERENCE else str(argument)
                for kind, argument in zip(_kinds(key, arguments), arguments, strict=True)
            )
            lines.append(f"x{number} = {FUNCTIONS[key].name}({shown})\n")
        return "".join(lines) + f"output x{len(self)}\n"

    def __repr__(self) -> str:
        return f"Program({tuple(self)!r})"


def _kinds(key: str, arguments: Sequence[int]) -> Sequence[str]:
    kinds = FUNCTIONS[key].arguments
    return (VALUE,) * len(arguments) if kinds is None else kinds


def references(line: Line) -> tuple[int, ...]:
    """Return the numbers of the lines whose lists a line uses."""
    kinds = FUNCTIONS[line.function].arguments or ()
    return tuple(argument for kind, argument in zip(kinds, line.arguments, strict=False) if kind == REFERENCE)


def pruned(lines: Sequence[Line], last: int) -> Program:
    """Return the program that ends with line `last`, without the lines that it does not need."""
    needed = {last}
    for at in range(last, 0, -1):
        if at in needed:
            needed.update(references(lines[at - 1]))
    numbers = {at: number for number, at in enumerate(sorted(needed), 1)}
    return Program(renumbered(lines[at - 1], numbers) for at in numbers)


def renumbered(line: Line, numbers: Mapping[int, int]) -> Line:
    """Return a line with its references replaced as `numbers` says."""
    kinds = _kinds(*line)
    return Line(
        line.function,
        tuple(numbers[a] if kind == REFERENCE else a for kind, a in zip(kinds, line.arguments, strict=True)),
    )


# Reading

_CALL = re.compile(r"x([0-9]{1,9})\s*=\s*([a-z_]+)\s*\(([^()]*)\)")
_OUTPUT = re.compile(r"output\s+x([0-9]{1,9})")
_ARGUMENT = re.compile(r"(x?)([0-9]{1,9})")


def parse(text: str) -> Program:
    """Read a program; blank lines are passed over.

    Raises:
        DslError: a line is not of the language, an argument lies outside its domain, or the output line is missing or
            not the last; the message names the line of the text.
    """
    lines: list[Line] = []
    ended = False
    for at, row in enumerate(text.splitlines(), 1):
        row = row.strip()
        if not row:
            continue
        if ended:
            raise DslError(f"line {at}: nothing may follow the output line")
        if match := _OUTPUT.fullmatch(row):
            if not lines or int(match[1]) != len(lines):
                raise DslError(f"line {at}: output takes the list of the line before it")
            ended = True
        else:
            lines.append(_parse_call(row, len(lines) + 1, at))
    if not ended:
        raise DslError(f"line {len(text.splitlines()) + 1}: the program ends without an output line")
    return Program(lines)


def _parse_call(row: str, number: int, at: int) -> Line:
    match = _CALL.fullmatch(row)
    if match is None:
        raise DslError(f"line {at}: expected `x{number} = function(arguments)` or `output x{number - 1}`")
    if int(match[1]) != number:
        raise DslError(f"line {at}: this line makes x{number}, not x{match[1]}")
    named = [function for function in _ALL if function.name == match[2]]
    if not named:
        raise DslError(f"line {at}: no function is called {match[2]}")
    words = [word.strip() for word in match[3].split(",")]
    found = [_ARGUMENT.fullmatch(word) for word in words]
    for word, argument in zip(words, found, strict=True):
        if argument is None:
            raise DslError(f"line {at}: {word[:20]!r} is neither a number nor a list such as x1")
    read = [argument for argument in found if argument is not None]
    signature = [argument[1] == "x" for argument in read]
    for function in named:
        kinds = (VALUE,) * len(read) if function.arguments is None else function.arguments
        if signature == [kind == REFERENCE for kind in kinds]:
            line = Line(function.key, tuple(int(argument[2]) for argument in read))
            _check(line, number, at)
            return line
    takes = " or ".join("values" if one.arguments is None else ", ".join(one.arguments) for one in named)
    raise DslError(f"line {at}: {match[2]} takes ({takes})")


def _check(line: Line, number: int, at: int) -> None:
    """Raise DslError where a line cannot stand as line `number` of a program; `at` is how the message counts it."""
    function = FUNCTIONS.get(line.function)
    if function is None:
        raise DslError(f"line {at}: no function is called {line.function}")
    if number > MAX_LINES:
        raise DslError(f"line {at}: a program has {MAX_LINES} lines at most")
    kinds = _kinds(line.function, line.arguments)
    if len(kinds) != len(line.arguments):
        raise DslError(f"line {at}: {function.name} takes {len(kinds)} arguments, not {len(line.arguments)}")
    if function.arguments is None and not 1 <= len(line.arguments) <= MAX_ITEMS:
        raise DslError(f"line {at}: {function.name} takes 1 to {MAX_ITEMS} values")
    for kind, argument in zip(kinds, line.arguments, strict=True):
        if kind == REFERENCE:
            if not 1 <= argument < number:
                raise DslError(f"line {at}: x{argument} is not a list of an earlier line")
        else:
            low, high = DOMAINS[kind]
            if not low <= argument <= high:
                raise DslError(f"line {at}: {kind} {argument} is outside {low} to {high}")


def check(program: Program) -> None:
    """Raise `DslError` unless every line could stand where it stands; `parse` and `decode` give only such programs."""
    if not program:
        raise DslError("line 1: a program has at least one line")
    for number, line in enumerate(program, 1):
        _check(line, number, number)


def _read(program: Program | str) -> Program:
    if isinstance(program, str):
        return parse(program)
    check(program)
    return program


# Running


def run(program: Program | str) -> list[int]:
    """Return the values of `output`, each 0 to 255, 256 at most.

    Raises:
        DslError: the program cannot be read, a list grows past `MAX_ITEMS`, a number past `MAX_VALUE`, a range or slice
            runs backwards, a number is divided by zero, or the output holds a value outside 0 to 255.
    """
    lists: list[list[int]] = []
    for number, line in enumerate(_read(program), 1):
        lists.append(apply(line, lists, number))
    for value in lists[-1]:
        if not 0 <= value <= 255:
            raise DslError(f"line {len(lists) + 1}: the output holds {value}, outside 0 to 255")
    return lists[-1]


def apply(line: Line, lists: Sequence[list[int]], number: int) -> list[int]:
    """Return the list that a checked line makes of the lists above it.

    Raises:
        DslError: as `run` does, naming line `number`.
    """
    made = _apply(line, lists, number)
    if len(made) > MAX_ITEMS:
        raise DslError(f"line {number}: the list has {len(made)} items, {MAX_ITEMS} at most")
    if made and not -MAX_VALUE <= min(made) <= max(made) <= MAX_VALUE:
        raise DslError(f"line {number}: a number is larger than {MAX_VALUE}")
    return made


def _apply(line: Line, lists: Sequence[list[int]], number: int) -> list[int]:
    key, arguments = line
    match key:
        case "list":
            return list(arguments)
        case "range" | "range_step" | "range_down":
            first, last = arguments[:2]
            if (last < first) != (key == "range_down") and first != last:
                raise DslError(f"line {number}: {FUNCTIONS[key].name} from {first} to {last} runs backwards")
            step = arguments[2] if key == "range_step" else 1
            return list(range(first, last - 1, -1)) if key == "range_down" else list(range(first, last + 1, step))
        case "repeat":
            return [arguments[0]] * arguments[1]
    one = lists[arguments[0] - 1]
    if FUNCTIONS[key].arguments == (REFERENCE, REFERENCE):
        return _join(key, one, lists[arguments[1] - 1], number)
    return _change(key, one, arguments[1:], number)


def _change(key: str, one: list[int], numbers: tuple[int, ...], number: int) -> list[int]:
    match key:
        case "reverse":
            return one[::-1]
        case "repeat_list":
            if len(one) * numbers[0] > MAX_ITEMS:
                raise DslError(f"line {number}: the list has {len(one) * numbers[0]} items, {MAX_ITEMS} at most")
            return one * numbers[0]
        case "jump":
            return one[:: numbers[0]]
        case "slice":
            if numbers[1] < numbers[0]:
                raise DslError(f"line {number}: slice from {numbers[0]} to {numbers[1]} runs backwards")
            return one[numbers[0] : numbers[1] + 1]
        case "substitute":
            return [numbers[1] if value == numbers[0] else value for value in one]
        case "add_number":
            return [value + numbers[0] for value in one]
        case "subtract_number":
            return [value - numbers[0] for value in one]
        case "mod_number":
            return [value % numbers[0] for value in one]
        case "max":
            return [max(value, numbers[0]) for value in one]
        case "min":
            return [min(value, numbers[0]) for value in one]
        case "even":
            return [value for value in one if value % 2 == 0]
        case "odd":
            return [value for value in one if value % 2 == 1]
        case "nonzero":
            return [value for value in one if value != 0]
        case "scan_add":
            total, made = 0, []
            for value in one:
                total += value
                made.append(total)
            return made
    raise DslError(f"line {number}: no function is called {key}")


def _join(key: str, one: list[int], other: list[int], number: int) -> list[int]:
    match key:
        case "add_lists":
            return [a + b for a, b in zip(one, other, strict=False)]
        case "subtract_lists":
            return [a - b for a, b in zip(one, other, strict=False)]
        case "mod_lists":
            if 0 in other[: len(one)]:
                raise DslError(f"line {number}: a number is divided by zero")
            return [a % b for a, b in zip(one, other, strict=False)]
        case "concatenate":
            return one + other
        case "interleave":
            alternating = [value for pair in zip(one, other, strict=False) for value in pair]
            return alternating + one[len(other) :] + other[len(one) :]
    raise DslError(f"line {number}: no function is called {key}")


def to_python(program: Program | str) -> str:
    """Return the same as a Python program that leaves the list in a variable `output`.

    It takes no imports, and gives what `run` gives wherever that raises nothing.

    Raises:
        DslError: the program cannot be read.
    """
    program = _read(program)
    rows = []
    for number, (key, arguments) in enumerate(program, 1):
        kinds = _kinds(key, arguments)
        words = [f"x{a}" if kind == REFERENCE else str(a) for kind, a in zip(kinds, arguments, strict=True)]
        if FUNCTIONS[key].arguments is None:
            words = [", ".join(words)]
        rows.append(f"x{number} = {FUNCTIONS[key].python.format(*words)}\n")
    return "".join(rows) + f"output = x{len(program)}\n"


# The code


def line_bits(program: Program | str) -> list[float]:
    """Return what each line costs in bits as the paper counts, the output line last.

    A line pays the choice among the 24 functions and the end, and each argument: values and moduli 8 bits, factors 3,
    counts log2(20), a reference log2(i) in line i. Values of a literal list pay 8 bits each, and nothing says how many
    there are: `exact_bits` counts that too.

    Raises:
        DslError: the program cannot be read.
    """
    return [CODE_BITS + sum(map(math.log2, radices)) for radices in _line_radices(_read(program), lengths=False)]


def bits(program: Program | str) -> float:
    """Return the sum of `line_bits`: the price of a program as the paper counts.

    Raises:
        DslError: the program cannot be read.
    """
    return math.fsum(line_bits(program))


def exact_bits(program: Program | str) -> float:
    """Return the bits that `encode` takes, but for rounding up: `bits`, and 8 for the length of each literal list.

    Raises:
        DslError: the program cannot be read.
    """
    program = _read(program)
    return CODE_BITS * (len(program) + 1) + math.fsum(
        math.log2(radix) for radices in _line_radices(program, lengths=True) for radix in radices
    )


def _line_radices(program: Program, *, lengths: bool) -> Iterator[list[int]]:
    """Yield for each line, the output line last, among how many each of its arguments is chosen."""
    for number, (key, arguments) in enumerate(program, 1):
        counts = [MAX_ITEMS] if lengths and FUNCTIONS[key].arguments is None else []
        yield counts + [_radix(kind, number)[1] for kind in _kinds(key, arguments)]
    yield []


def _radix(kind: str, number: int) -> tuple[int, int]:
    """Return the lowest argument of a kind in line `number`, and how many there are in the code."""
    if kind == REFERENCE:
        return 1, number  # the paper's log2(i): one more than there are lines above
    low, high = DOMAINS[kind]
    return low, high - low + 1


def encode(programs: Iterable[Program]) -> bytes:
    """Return programs as bytes: as many as the bits of all their `exact_bits` take, rounded up once.

    The choices of all lines are the digits of one number in mixed radix, the first choice lowest.

    Raises:
        DslError: a program cannot be written.
    """
    digits: list[tuple[int, int]] = []
    for program in programs:
        check(program)
        for number, (key, arguments) in enumerate(program, 1):
            digits.append((_CODES[key], END + 1))
            if FUNCTIONS[key].arguments is None:
                digits.append((len(arguments) - 1, MAX_ITEMS))
            for kind, argument in zip(_kinds(key, arguments), arguments, strict=True):
                low, radix = _radix(kind, number)
                digits.append((argument - low, radix))
        digits.append((END, END + 1))
    value, size = 0, 1
    for digit, radix in reversed(digits):
        value = value * radix + digit
        size *= radix
    return value.to_bytes(((size - 1).bit_length() + 7) // 8, "little")


def decode(data: bytes, count: int = 1) -> list[Program]:
    """Return the `count` programs that `encode` wrote.

    Raises:
        DslError: the bytes hold no such programs.
    """
    value, size = int.from_bytes(data, "little"), 1
    limit = 1 << (8 * len(data))

    def take(radix: int) -> int:
        nonlocal value, size
        size *= radix
        if size > limit:
            raise DslError("line 1: the bytes end within a program")
        value, digit = divmod(value, radix)
        return digit

    programs = []
    for _ in range(count):
        lines: list[Line] = []
        while (code := take(END + 1)) != END:
            kinds = _ALL[code].arguments
            number = len(lines) + 1
            if kinds is None:
                kinds = (VALUE,) * (take(MAX_ITEMS) + 1)
            arguments = []
            for kind in kinds:
                low, radix = _radix(kind, number)
                arguments.append(low + take(radix))
            lines.append(Line(_ALL[code].key, tuple(arguments)))
            _check(lines[-1], number, number)
        program = Program(lines)
        check(program)
        programs.append(program)
    if value or len(data) != ((size - 1).bit_length() + 7) // 8:
        raise DslError("line 1: the bytes hold more than the programs")
    return programs
