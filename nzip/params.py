"""What an engine or a transform can be told, declared once.

A declaration gives the defaults, the checks, the form in which a block's header stores the values, and what the command
can be told. Stored parameters are fields of whole bits, one behind the other from the lowest bit of the first byte on,
and fill whole bytes; a text, if there is one, is the rest. So `pack` and `unpack` mirror each other by construction,
and whatever `unpack` accepts is what `pack` writes.
"""

from __future__ import annotations

import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nzip.errors import CorruptError, UnsupportedError

Params = Mapping[str, Any]  # numbers; names of models are strings


@dataclass(frozen=True, kw_only=True)
class Parameter(ABC):
    """One parameter.

    Attributes:
        name: the word users write.
        default: its value where it is left out; None where the engine's `fit` chooses one for the block.
        help: what it does, in a line.
        bits: of its field; 0 for the text at the end.
        newer: whether other values may come with a later version, so that a file that has one is not called damaged.
    """

    name: str
    default: Any
    help: str
    bits: int = 8
    newer: bool = False

    @property
    @abstractmethod
    def range(self) -> str:
        """The values that are allowed, in words."""

    @abstractmethod
    def checked(self, value: Any) -> Any:
        """Return `value` in its plain type; ValueError if it is not allowed."""

    def parsed(self, text: str) -> Any:
        """Return the value that `text` stands for; ValueError if it is not allowed."""
        return self.checked(text)

    def stored(self, value: Any) -> int:
        """Return the field of an allowed value."""
        raise NotImplementedError

    def read(self, field: int) -> Any:
        """Return the value of a field; it need not be an allowed one."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Number(Parameter):
    """A whole number from `low` to `high`, a multiple of `step`; stored divided by it."""

    low: int
    high: int
    step: int = 1

    def __post_init__(self) -> None:
        if self.low < 0 or self.high // self.step >> self.bits:
            raise ValueError(f"the parameter {self.name} does not fit in {self.bits} bits")

    @property
    def range(self) -> str:
        return f"{self.low}..{self.high}" + ("" if self.step == 1 else f" in steps of {self.step}")

    def checked(self, value: Any) -> int:
        number = operator.index(value) if hasattr(value, "__index__") else None
        if number is None or not self.low <= number <= self.high or number % self.step:
            raise ValueError(f"{self.name} {value!r} is not in {self.range}")
        return number

    def parsed(self, text: str) -> int:
        return self.checked(int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text)

    def stored(self, value: int) -> int:
        return value // self.step

    def read(self, field: int) -> int:
        return field * self.step


@dataclass(frozen=True, kw_only=True)
class Flag(Parameter):
    """0 or 1.

    Attributes:
        inverted: the field is 1 where the value is 0.
    """

    bits: int = 1
    inverted: bool = False

    @property
    def range(self) -> str:
        return "0 or 1"

    def checked(self, value: Any) -> int:
        if value not in (0, 1):
            raise ValueError(f"{self.name} {value!r} is not {self.range}")
        return int(value)

    def parsed(self, text: str) -> int:
        return self.checked(int(text) if text in ("0", "1") else text)

    def stored(self, value: int) -> int:
        return value ^ self.inverted

    def read(self, field: int) -> int:
        return field ^ self.inverted


@dataclass(frozen=True, kw_only=True)
class Digest(Parameter):
    """A hash, written as small hexadecimal digits."""

    bits: int = 256

    @property
    def range(self) -> str:
        return f"{self.bits // 4} hexadecimal digits"

    def checked(self, value: Any) -> str:
        if not isinstance(value, str) or re.fullmatch(f"[0-9a-f]{{{self.bits // 4}}}", value) is None:
            raise ValueError(f"{self.name} {value!r} is not {self.range}")
        return value

    def stored(self, value: str) -> int:
        return int.from_bytes(bytes.fromhex(value), "little")

    def read(self, field: int) -> str:
        return field.to_bytes(self.bits // 8, "little").hex()


@dataclass(frozen=True, kw_only=True)
class Text(Parameter):
    """A text of one character or more; the last of the parameters.

    Attributes:
        pattern: a regular expression for the whole of it, which allows ASCII alone.
        about: what it is, in words.
    """

    pattern: str
    about: str
    bits: int = 0

    @property
    def range(self) -> str:
        return self.about

    def checked(self, value: Any) -> str:
        if not isinstance(value, str) or re.fullmatch(self.pattern, value) is None:
            raise ValueError(f"{self.name} {value!r} is not {self.range}")
        return value


class Parameters:
    """All parameters of an engine or a transform.

    Args:
        owner: whose they are, as messages name it (`"engine cm"`).
        fields: in the order of the stored fields; a text comes last.
        rule: says what is wrong with values that are allowed alone and not together; None where nothing is.
    """

    def __init__(self, owner: str, *fields: Parameter, rule: Callable[[dict[str, Any]], str | None] | None = None):
        self.owner = owner
        self._word = owner.rpartition(" ")[2]
        self._fields = {field.name: field for field in fields}
        self._rule = rule
        bits = sum(field.bits for field in fields)
        self._size = bits // 8
        self._text = fields[-1] if fields and not fields[-1].bits else None
        fixed = fields[:-1] if self._text else fields
        if bits % 8 or self._size + bool(self._text) > 255 or not all(field.bits for field in fixed):
            raise ValueError(f"the parameters of {owner} do not fill whole bytes, or a text is not the last")

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._fields.values())

    def check(self, params: Params) -> dict[str, Any]:
        """Return `params` with defaults filled in, in the order of the fields; None is what `fit` has still to choose.

        Raises:
            ValueError: a parameter is unknown or out of range.
        """
        for name in params:
            if name not in self._fields:
                raise ValueError(f"{self.owner} does not know the parameter {name!r}; {self._known()}")
        full: dict[str, Any] = {}
        for name, field in self._fields.items():
            value = params.get(name)
            full[name] = field.default if value is None else self._checked(field, value)
        self._together(full)
        return full

    def parse(self, texts: Iterable[str]) -> dict[str, Any]:
        """Return the parameters that `texts`, each `key=value`, stand for.

        Raises:
            ValueError: one is no such text, is given twice, is unknown, or out of range.
        """
        found: dict[str, Any] = {}
        for text in texts:
            name, equals, value = text.partition("=")
            if not equals:
                raise ValueError(f"{text!r} is not written as key=value; {self._known(self.owner)}")
            if name not in self._fields:
                raise ValueError(f"{self.owner} does not know the parameter {name!r}; {self._known()}")
            if name in found:
                raise ValueError(f"{self._word} {name} is given twice")
            try:
                found[name] = self._fields[name].parsed(value)
            except ValueError as error:
                raise ValueError(f"{self._word} {error}") from None
        self.check(found)
        return found

    def pack(self, params: Params) -> bytes:
        """Return `params` as a block's header stores them.

        Raises:
            ValueError: a parameter is unknown, out of range, or left out where there is no default.
        """
        full = self.check(params)
        missing = [name for name, value in full.items() if value is None]
        if missing:
            raise ValueError(f"{self.owner} needs the parameter {missing[0]!r}")
        bits = place = 0
        for name, field in self._fields.items():
            if field.bits:
                bits |= field.stored(full[name]) << place
                place += field.bits
        text: str = full[self._text.name] if self._text else ""
        return bits.to_bytes(self._size, "little") + text.encode("ascii")

    def unpack(self, packed: bytes) -> dict[str, Any]:
        """Return the parameters that `pack` stored.

        Raises:
            CorruptError: `packed` is not what `pack` writes.
            UnsupportedError: a value is one of a later version.
        """
        if len(packed) < self._size or (len(packed) > self._size) != (self._text is not None):
            raise CorruptError(f"the parameters of {self.owner} are malformed")
        bits = int.from_bytes(packed[: self._size], "little")
        full: dict[str, Any] = {}
        for name, field in self._fields.items():
            if field.bits:
                full[name] = field.read(bits & (1 << field.bits) - 1)
                bits >>= field.bits
            else:
                full[name] = packed[self._size :].decode("ascii", "replace")
        for name, field in self._fields.items():
            try:
                full[name] = field.checked(full[name])
            except ValueError as error:
                if field.newer:
                    known = f"{self._word} {name} {full[name]} is not known to this nzip; upgrade nzip"
                    raise UnsupportedError(known) from None
                raise self._out_of_range(error) from None
        try:
            self._together(full)
        except ValueError as error:
            raise self._out_of_range(error) from None
        return full

    def _out_of_range(self, error: ValueError) -> CorruptError:
        return CorruptError(f"the parameters of {self.owner} are out of range: {error}")

    def _checked(self, field: Parameter, value: Any) -> Any:
        try:
            return field.checked(value)
        except ValueError as error:
            raise ValueError(f"{self._word} {error}") from None

    def _together(self, full: dict[str, Any]) -> None:
        wrong = self._rule(full) if self._rule else None
        if wrong:
            raise ValueError(f"{self._word} {wrong}")

    def _known(self, who: str = "it") -> str:
        if not self._fields:
            return f"{who} takes none"
        return f"{who} knows " + ", ".join(f"{name} ({field.range})" for name, field in self._fields.items())
