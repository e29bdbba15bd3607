"""Which entries of an archive are meant by paths and patterns."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nzip.formats.container.entries import TreeEntry

_MAGIC = frozenset("*?[")
_ANY = "**"  # stands for any number of names


class Chosen(NamedTuple):
    """What was asked for.

    Attributes:
        roots: by the number of an entry in the archive, the path of what was asked for that it belongs to: its own, or
            that of a directory above it.
        missing: the paths and patterns that nothing in the archive answers to.
    """

    roots: dict[int, str]
    missing: tuple[str, ...]


def choose(entries: Sequence[TreeEntry], paths: Iterable[str]) -> Chosen:
    """Return the entries that are at or below one of `paths`, which `clean` makes comparable.

    A path with one of `*?[` in it that no entry has is a pattern. In one without a slash, a name anywhere in the
    archive is compared with it. In one with slashes, `*` stays within a name, and `**` stands for any number of them.
    """
    asked = {path: clean(path) for path in paths}
    names = [clean(entry.name) for entry in entries]
    whole = _Whole(asked.values())
    there = {tuple(found) for name in names for found in whole.above(name)}
    patterns = {path: parts for path, parts in asked.items() if tuple(parts) not in there and _is_pattern(parts)}
    answered = {path for path, parts in asked.items() if tuple(parts) in there}
    roots: dict[int, str] = {}
    for number, name in enumerate(names):
        counts = [len(found) for found in whole.above(name)]
        for path, parts in patterns.items():
            if count := _matched(parts, name):
                answered.add(path)
                counts.append(count)
        if counts:
            roots[number] = "/".join(name[: min(counts)])
    return Chosen(roots, tuple(path for path in asked if path not in answered))


class _Whole:
    """Paths without patterns, by the number of their names."""

    def __init__(self, paths: Iterable[Sequence[str]]):
        self._paths = {tuple(path) for path in paths if path}
        self._counts = sorted({len(path) for path in self._paths})

    def above(self, name: Sequence[str]) -> list[Sequence[str]]:
        """Return those that are a name's own path or lead to it."""
        found = (name[:count] for count in self._counts if count <= len(name))
        return [path for path in found if tuple(path) in self._paths]


def clean(path: str) -> list[str]:
    """Return the names in a path."""
    return [part for part in path.split("/") if part not in ("", ".")]


def _is_pattern(parts: Iterable[str]) -> bool:
    return any(_MAGIC & {*part} for part in parts)


def _matched(pattern: Sequence[str], name: Sequence[str]) -> int:
    """Return how many names from the first on answer to a pattern, the fewest that do; 0 for none."""
    if len(pattern) == 1 and pattern[0] != _ANY:
        return next((at for at, part in enumerate(name, 1) if fnmatch.fnmatchcase(part, pattern[0])), 0)
    places = _beyond({0}, pattern)  # in the pattern, up to which it answers to the names so far
    for count, part in enumerate(name, 1):
        places = _beyond(
            {
                at if pattern[at] == _ANY else at + 1
                for at in places
                if at < len(pattern) and (pattern[at] == _ANY or fnmatch.fnmatchcase(part, pattern[at]))
            },
            pattern,
        )
        if len(pattern) in places:
            return count
    return 0


def _beyond(places: set[int], pattern: Sequence[str]) -> set[int]:
    """Return `places` and those behind what may stand for no name at all."""
    found = set(places)
    for at in sorted(places):
        while at < len(pattern) and pattern[at] == _ANY:
            at += 1
            found.add(at)
    return found
