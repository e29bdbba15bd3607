"""Where symbolic links lead: by their names alone, as an archive states them, and as the system follows them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

_MOST_LINKS = 64  # followed for one link, more than systems do
_MOST_STEPS = 1024  # names in them


@dataclass
class Links:
    """What an archive's links make of a directory: the links in it, by name, and where it leads if it is one."""

    below: dict[str, Links] = field(default_factory=dict)
    leads: str | None = None

    def add(self, path: Iterable[str], linkname: str) -> bool:
        """Add the link at `path`; return whether it lies behind no other, and has none behind it."""
        node = self
        for part in path:
            if node.leads is not None:
                break
            node = node.below.setdefault(part, Links())
        free = node.leads is None and not node.below
        if free:
            node.leads = linkname
        return free

    def lead_outside(self, folders: Iterable[str], linkname: str) -> bool:
        """Whether a link in `folders` leads out of the directory on its way, also through other links and back."""
        nodes: list[Links | None] = [self]  # of the directory reached, and of those above it
        for part in folders:
            last = nodes[-1]
            nodes.append(last.below.get(part) if last is not None else None)
        todo = linkname.split("/")[::-1]
        steps, followed = len(todo), 0
        absolute = linkname.startswith("/")
        while todo and not absolute:
            part = todo.pop()
            if part == os.pardir:
                if len(nodes) == 1:
                    return True
                nodes.pop()
            elif part not in ("", os.curdir):
                last = nodes[-1]
                node = last.below.get(part) if last is not None else None
                if node is None or node.leads is None:
                    nodes.append(node)
                    continue
                followed += 1
                if followed > _MOST_LINKS:
                    return False  # no system follows as many; a link that leads to itself ends here
                absolute = node.leads.startswith("/")
                todo += node.leads.split("/")[::-1]
                steps += len(node.leads) // 2
                if steps > _MOST_STEPS:
                    return True
        return absolute


def link_at(path: str) -> str | None:
    """Return what the link at `path` holds; None where there is none."""
    try:
        return os.readlink(path)
    except OSError:
        return None


def leads_to(room: str, place: str, link: Callable[[str], str | None]) -> str | None:
    """Return where the system ends up at `place` in `room`; None where it gives up, after too many links.

    Args:
        room: a path without links in it.
        place: a path in it.
        link: gives what the link at a path holds, or None.
    """
    here, todo, followed, steps = room, place.split(os.sep)[::-1], 0, 0
    while todo:
        part = todo.pop()
        steps += 1
        if steps > _MOST_STEPS * 4:
            return os.sep
        if part == os.pardir:
            here = os.path.dirname(here)
        elif part not in ("", os.curdir):
            path = os.path.join(here, part)
            leads = link(path)
            if leads is None:
                here = path
                continue
            followed += 1
            if followed > _MOST_LINKS:
                return None
            if leads.startswith("/"):
                here = os.sep
            todo += leads.split("/")[::-1]
    return here
