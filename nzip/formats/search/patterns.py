"""Patterns of grep, basic and extended (POSIX.1-2008 chapter 9, with GNU's additions), as Python's expressions; and
what text must hold for them to match.

A pattern becomes a tree (`Node`), of which both are made. Where text is not ASCII, expressions are of characters, bytes
that are no UTF-8 being surrogates, which only the same bytes in the pattern match.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

MOST_REPEATED = 32_767  # times, as in GNU's
MOST_FOLDED = 0x400  # characters of a range whose other cases are looked up


class PatternError(ValueError):
    """A pattern that is wrong, or cannot be searched for."""


class Node(NamedTuple):
    """A piece of a pattern.

    Attributes:
        kind: `char`, `any`, `set`, `at`, `class`, `back`; `all` (one behind the other), `either`, `group`, `repeat`.
        text: the character; which place (`^ $ < > b B`); which class (`w W s S`).
        nodes: what it is made of.
        least, most: times; -1 for any number. Of a group `least` is its number, as of what refers back to it.
        items: of a set: single characters, ranges, and names of classes;
        negated: whether it is all others.
    """

    kind: str
    text: str = ""
    nodes: tuple[Node, ...] = ()
    least: int = 0
    most: int = 0
    items: tuple[str | tuple[str, str], ...] = ()
    negated: bool = False


_CLASSES: dict[str, tuple[str, Callable[[str], bool]]] = {
    "alpha": ("A-Za-z", str.isalpha),
    "digit": ("0-9", lambda c: c in "0123456789"),
    "alnum": ("0-9A-Za-z", str.isalnum),
    "upper": ("A-Z", str.isupper),
    "lower": ("a-z", str.islower),
    "space": (" \\t\\r\\f\\v", str.isspace),
    "blank": (" \\t", lambda c: c in " \t" or (c.isspace() and c.isprintable())),
    "punct": (re.escape(string.punctuation), lambda c: c.isprintable() and not (c.isalnum() or c.isspace())),
    "print": (" -~", str.isprintable),
    "graph": ("!-~", lambda c: c.isprintable() and not c.isspace()),
    "cntrl": ("\\x00-\\x09\\x0b-\\x1f\\x7f", lambda c: 0x80 <= ord(c) < 0xA0),
    "xdigit": ("0-9A-Fa-f", lambda c: False),
}


@lru_cache(32)
def _beyond_ascii(name: str) -> str:
    """Return the members of a class that are not ASCII, as ranges of an expression."""
    holds = _CLASSES[name][1]
    found, start = [], -1
    for code in (*range(0x80, 0xD800), *range(0xE000, 0x110000), -1):
        inside = code >= 0 and holds(chr(code))
        if inside and start < 0:
            start = last = code
        elif inside and code == last + 1:
            last = code
        elif start >= 0:
            found.append(f"\\U{start:08x}-\\U{last:08x}")
            start = -1
            if inside:
                start = last = code
    return "".join(found)


class _Parser:
    """Reads one pattern."""

    def __init__(self, text: str, extended: bool):
        self._text, self._extended = text, extended
        self._at = 0
        self.groups = 0
        self._depth = 0
        self._closed: set[int] = set()
        self.backs = False

    def parse(self) -> Node:
        found = self._either()
        if self._at < len(self._text):
            raise PatternError("unmatched ) or \\)")
        return found

    def _token(self) -> str:
        """Return what comes next: a special word of both syntaxes with the name of the extended one (`(`, `|`, `{`),
        `\\x` for an escaped character, `=x` for one that stands for itself; nothing at the end."""
        text, at = self._text, self._at
        if at >= len(text):
            return ""
        char = text[at]
        if char == "\\":
            if at + 1 >= len(text):
                raise PatternError("trailing backslash")
            escaped = text[at + 1]
            if not self._extended and escaped in "(){}|+?":
                return escaped
            if self._extended and escaped in "(){}|+?":
                return "=" + escaped
            return "\\" + escaped
        if char in "(){}|+?" and not self._extended:
            return "=" + char
        if char in "(){}|+?*.[^$":
            return char
        return "=" + char

    def _width(self) -> int:
        return 2 if self._text[self._at] == "\\" else 1

    def _either(self) -> Node:
        branches = [self._all()]
        while self._token() == "|":
            self._at += self._width()
            branches.append(self._all())
        return branches[0] if len(branches) == 1 else Node("either", nodes=tuple(branches))

    def _ends(self) -> bool:
        token = self._token()
        return not token or token == "|" or (token == ")" and self._depth > 0)

    def _all(self) -> Node:
        nodes: list[Node] = []
        begun = False  # whether something stands before that can be repeated
        while not self._ends():
            token = self._token()
            width = self._width()
            if token in ("*", "+", "?", "{"):
                if begun:
                    if self._repeat(nodes, token, width):
                        continue
                elif self._extended:
                    found = self._interval(self._at + width) if token == "{" else (0, 0, self._at + width)
                    if found is not None:  # it repeats nothing, which is nothing
                        self._at = found[2]
                        continue
                token = "=" + self._text[self._at + width - 1]
            self._at += width
            if token == "(":
                self.groups += 1
                number = self.groups
                self._depth += 1
                if self._depth > 200:
                    raise PatternError("parentheses are nested too deep")
                inner = self._either()
                if self._token() != ")":
                    raise PatternError("unmatched ( or \\(")
                self._at += self._width()
                self._depth -= 1
                self._closed.add(number)
                nodes.append(Node("group", nodes=(inner,), least=number))
            elif token == ")":
                if not self._extended:
                    raise PatternError("unmatched ) or \\)")
                nodes.append(Node("char", ")"))
            elif token == ".":
                nodes.append(Node("any"))
            elif token == "[":
                nodes.append(self._set())
            elif token == "^" and (self._extended or not nodes):
                nodes.append(Node("at", "^"))
                begun = self._extended
                continue
            elif token == "$" and (self._extended or self._ends()):
                nodes.append(Node("at", "$"))
            elif token[0] == "\\":
                nodes.append(self._escaped(token[1]))
            else:
                nodes.append(Node("char", token[-1]))
            begun = True
        return nodes[0] if len(nodes) == 1 else Node("all", nodes=tuple(nodes))

    def _escaped(self, char: str) -> Node:
        if char in "123456789":
            number = int(char)
            if number not in self._closed:
                raise PatternError("invalid back reference")
            self.backs = True
            return Node("back", least=number)
        if char in "wWsS":
            return Node("class", char)
        if char in "<>bB`'":
            return Node("at", {"`": "^", "'": "$"}.get(char, char))
        return Node("char", char)

    def _repeat(self, nodes: list[Node], token: str, width: int) -> bool:
        """Repeat the last of `nodes`; False where a brace begins no interval."""
        if token == "{":
            found = self._interval(self._at + width)
            if found is None:
                if not self._extended:
                    raise PatternError("invalid content of \\{\\}")
                return False
            least, most, self._at = found
        else:
            least, most = {"*": (0, -1), "+": (1, -1), "?": (0, 1)}[token]
            self._at += width
        nodes[-1] = Node("repeat", nodes=(nodes[-1],), least=least, most=most)
        return True

    def _interval(self, at: int) -> tuple[int, int, int] | None:
        """Return the interval whose inside begins at `at`, and where it ends; None if that is none."""
        close = "}" if self._extended else r"\\}"
        found = re.compile(r"(\d*)(,?)(\d*)" + close, re.ASCII).match(self._text, at)
        if found is None or not (found[1] or found[2]):
            return None
        least = int(found[1] or 0)
        most = least if not found[2] else int(found[3]) if found[3] else -1
        if max(least, most) > MOST_REPEATED:
            raise PatternError("regular expression too big")
        if 0 <= most < least:
            raise PatternError("invalid content of \\{\\}")
        return least, most, found.end()

    def _set(self) -> Node:
        """Read a bracket expression behind its bracket."""
        text, at = self._text, self._at
        negated = text[at : at + 1] == "^"
        at += negated
        items: list[str | tuple[str, str]] = []
        first = True
        while True:
            if at >= len(text):
                raise PatternError("unmatched [, [^, [:, [., or [=")
            if text[at] == "]" and not first:
                break
            first = False
            begin, at, single = self._member(at)
            if single and text[at : at + 1] == "-" and text[at + 1 : at + 2] not in ("]", ""):
                end, at, single = self._member(at + 1)
                if not single or ord(end) < ord(begin):
                    raise PatternError("invalid range end")
                items.append((begin, end))
            else:
                items.append(begin)
        if items[:1] == [":"] and len(items) > 2 and items[-1] == ":" and not negated:
            raise PatternError("character class syntax is [[:space:]], not [:space:]")
        self._at = at + 1
        return Node("set", items=tuple(items), negated=negated)

    def _member(self, at: int) -> tuple[str, int, bool]:
        """Return the member of a set at `at`, what follows it, and whether it is one character."""
        text = self._text
        kind = text[at + 1 : at + 2]
        if text[at] == "[" and kind in (":", ".", "=") and kind:
            end = text.find(kind + "]", at + 2)
            if end < 0:
                raise PatternError("unmatched [, [^, [:, [., or [=")
            name = text[at + 2 : end]
            if kind == ":":
                if name not in _CLASSES:
                    raise PatternError("invalid character class name")
                return f":{name}", end + 2, False
            if len(name) != 1:
                raise PatternError("invalid collation character")
            return name, end + 2, kind == "."
        return text[at], at + 1, True


def parse(pattern: str, syntax: str) -> tuple[Node, int, bool]:
    """Return the tree of a pattern, how many groups it has, and whether it refers back to them.

    Args:
        pattern: one line.
        syntax: `basic`, `extended` or `fixed`.

    Raises:
        PatternError: it is wrong.
    """
    if syntax == "fixed":
        return Node("all", nodes=tuple(Node("char", char) for char in pattern)), 0, False
    parser = _Parser(pattern, syntax == "extended")
    return parser.parse(), parser.groups, parser.backs


_PLACES = {
    "^": "^", "$": "$", "<": r"\b(?=\w)", ">": r"\b(?<=\w)", "b": r"\b",
    "B": r"(?:\B|(?<!\w)(?!\w))",  # Python has none in an empty line
}  # fmt: skip


# --- expressions ----------------------------------------------------------------------------------------------------


class Writer:
    """Writes the expression of a tree.

    Args:
        wide: for characters; else for bytes.
        any_case: letters match those of the other case; for characters the expression says so itself.
        utf8: bytes are UTF-8, and text is ASCII where more than characters of the pattern are matched; else all bytes
            are characters.
        backs: groups are kept.
        before: groups of the patterns before.
    """

    def __init__(self, *, wide: bool, any_case: bool, utf8: bool, backs: bool, before: int):
        self._wide, self._utf8, self._backs, self._before = wide, utf8, backs, before
        self._folds, self._any_case = wide and any_case, any_case

    def write(self, node: Node) -> str:
        """Return the expression; each character of it stands for a byte where it is for bytes."""
        kind = node.kind
        if kind == "char":
            return self._char(node.text)
        if kind == "any":
            return r"[^\n\udc80-\udcff]" if self._wide else r"[^\n]"
        if kind == "set":
            return self._set(node)
        if kind == "at":
            return _PLACES[node.text]
        if kind == "class":
            if node.text in "ws":
                return "\\w" if node.text == "w" else r"[^\S\n]"
            no = r"\w" if node.text == "W" else r"\s"
            return rf"[^{no}\n\udc80-\udcff]" if self._wide else rf"[^{no}\n]"
        if kind == "back":
            return f"(?:\\{node.least + self._before})"
        if kind == "all":
            return "".join(map(self.write, node.nodes))
        if kind == "either":
            return "(?:" + "|".join(map(self.write, node.nodes)) + ")"
        if kind == "group":
            inner = self.write(node.nodes[0])
            return f"({inner})" if self._backs else f"(?:{inner})"
        return f"(?:{self.write(node.nodes[0])}){self._times(node)}"

    @staticmethod
    def _times(node: Node) -> str:
        plain = {(0, -1): "*", (1, -1): "+", (0, 1): "?"}.get((node.least, node.most))
        return plain or f"{{{node.least},{'' if node.most < 0 else node.most}}}"

    def _char(self, char: str) -> str:
        if self._wide:
            return f"(?-i:[{''.join(map(re.escape, _cases(char)))}])" if self._folds else re.escape(char)
        if self._any_case and self._utf8 and not char.isascii():
            return f"(?:{'|'.join(re.escape(self._bytes(other)) for other in _cases(char))})"
        found = "".join(map(re.escape, self._bytes(char)))
        return found if len(char.encode("utf-8", "surrogateescape")) == 1 or not self._utf8 else f"(?:{found})"

    def _bytes(self, char: str) -> str:
        return (char.encode("utf-8", "surrogateescape") if self._utf8 else char.encode("latin-1")).decode("latin-1")

    def _set(self, node: Node) -> str:
        parts: list[str] = []
        for item in node.items:
            if isinstance(item, tuple):
                first, last = (ord(end) for end in item)
                if not self._wide:
                    last = min(last, 0x7F if self._utf8 else 0xFF)
                if first <= last:
                    parts.append(f"{_code(first)}-{_code(last)}")
                if self._folds:
                    near = map(chr, (*range(first, min(last, first + MOST_FOLDED)), last))
                    parts += [_code(ord(other)) for each in near for other in _cases(each)]
            elif item[0] == ":" and len(item) > 1:
                for name in ("upper", "lower") if self._folds and item[1:] in ("upper", "lower") else (item[1:],):
                    parts.append(_CLASSES[name][0] + (_beyond_ascii(name) if self._wide else ""))
            elif self._folds:
                parts += [_code(ord(other)) for other in _cases(item)]
            elif self._wide or not self._utf8 or ord(item) < 0x80:
                parts.append(_code(ord(item)))
            elif self._any_case:
                parts += [_code(ord(other)) for other in _cases(item) if other.isascii()]
        inside = "".join(parts)
        if node.negated:
            found = rf"[^\n\udc80-\udcff{inside}]" if self._wide else rf"[^\n{inside}]"
            return f"(?-i:{found})" if self._folds else found
        over = any(isinstance(item, tuple) and ord(item[0]) <= 10 <= ord(item[1]) for item in node.items)
        found = ("(?!\\n)" if over else "") + (f"[{inside}]" if inside else "(?!)")
        return f"(?-i:{found})" if self._folds else found


# Letters that are no other's upper or lower case, and have one themselves.
_LONESOME = (
    "\u00b5\u0131\u017f\u01c5\u01c8\u01cb\u01f2\u0345\u03c2"
    "\u03d0\u03d1\u03d5\u03d6\u03f0\u03f1\u03f5\u1e9b\u1fbe"
)


@lru_cache(4096)
def _cases(char: str) -> tuple[str, ...]:
    """Return a character and those that match it in another case, as grep has it: fewer than Python does."""

    def upper(char: str) -> str:
        found = char.upper()
        return found if len(found) == 1 else char

    large = upper(char)
    small = large.lower() if len(large.lower()) == 1 else large
    found = [char, large]
    if upper(small) == large:
        found.append(small)
    found += [other for other in _LONESOME if upper(other) == large]
    return tuple(dict.fromkeys(found))


def _code(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def is_literal(node: Node) -> bool:
    """Whether only characters, one behind the other, are matched."""
    return node.kind == "char" or (node.kind == "all" and all(each.kind == "char" for each in node.nodes))


def is_plain(node: Node) -> bool:
    """Whether bytes tell as well as characters whether UTF-8 matches: where nothing but characters of the pattern and
    ASCII is matched."""
    if node.kind in ("any", "class"):
        return False
    if node.kind == "at":
        return node.text in "^$"
    if node.kind == "set":
        ends = "".join(item if isinstance(item, str) else item[0] + item[1] for item in node.items)
        return not node.negated and ends.isascii() and not any(item[0] == ":" and len(item) > 1 for item in node.items)
    return all(map(is_plain, node.nodes))


def is_one_way(node: Node) -> bool:
    """Whether the first match that Python finds is surely the longest there."""
    if node.kind == "either" or node.kind == "back":
        return False
    if node.kind == "repeat":
        return node.nodes[0].kind in ("char", "any", "set", "class")
    return all(map(is_one_way, node.nodes))


# --- what text must hold --------------------------------------------------------------------------------------------


class Need(NamedTuple):
    """What must stand in a text that matches.

    Attributes:
        text: characters that must, one behind the other; empty where it is of others,
        others: of which each must be fulfilled,
        either: or one.
    """

    text: str = ""
    others: tuple[Need, ...] = ()
    either: bool = False


def needed(node: Node) -> Need | None:
    """Return what a tree needs; None where that is not known."""
    found: list[Need] = []
    run: list[str] = []

    def flush() -> None:
        if run:
            found.append(Need("".join(run)))
            run.clear()

    def walk(node: Node) -> None:
        if node.kind == "char":
            run.append(node.text)
        elif node.kind in ("all", "group"):
            for each in node.nodes:
                walk(each)
        elif node.kind == "repeat" and node.least:
            inner = node.nodes[0]
            if inner.kind == "char" and node.least <= 256:
                run.extend(inner.text * node.least)
                if node.least != node.most:
                    flush()
                return
            flush()
            walk(inner)
            flush()
        elif node.kind == "either":
            flush()
            branches = [needed(each) for each in node.nodes]
            if all(branches):
                found.append(Need(others=tuple(each for each in branches if each), either=True))
        elif node.kind != "at":
            flush()

    walk(node)
    flush()
    if len(found) < 2:
        return found[0] if found else None
    return Need(others=tuple(found))


def either_of(needs: Sequence[Need | None]) -> Need | None:
    """Return what text needs to match one of several patterns."""
    if not needs or not all(needs):
        return None
    return needs[0] if len(needs) == 1 else Need(others=tuple(need for need in needs if need), either=True)


def longest(need: Need | None) -> str:
    """Return the longest text that must stand in every match; empty where there is none."""
    if need is None or need.either:
        return ""
    return max([need.text, *map(longest, need.others)], key=len)
