"""Which entries are meant by paths and patterns."""

import pytest

from nzip.codec.files.trees.choice import choose
from nzip.formats.container.entries import TreeEntry

NAMES = ["top", "top/a.txt", "top/b.py", "top/sub", "top/sub/c.txt", "top/sub/deep/d.txt", "top/s*r", "./odd/./e.txt"]
ENTRIES = [TreeEntry(name, "file", 0o644, 0, 0, "", 512, 0) for name in NAMES]


def found(*paths: str) -> set[str]:
    """Return the names that `paths` stand for."""
    return {NAMES[number] for number in choose(ENTRIES, paths).roots}


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("top/a.txt", {"top/a.txt"}),
        ("./top//a.txt", {"top/a.txt"}),
        ("top/sub", {"top/sub", "top/sub/c.txt", "top/sub/deep/d.txt"}),
        ("top/sub/", {"top/sub", "top/sub/c.txt", "top/sub/deep/d.txt"}),
        ("top/sub/deep", {"top/sub/deep/d.txt"}),  # a directory that has no entry
        ("top", {*NAMES[:7]}),
        ("a.txt", set()),
        ("*.txt", {"top/a.txt", "top/sub/c.txt", "top/sub/deep/d.txt", "./odd/./e.txt"}),
        ("s?b", {"top/sub", "top/sub/c.txt", "top/sub/deep/d.txt"}),
        ("top/*.txt", {"top/a.txt"}),
        ("top/**/*.txt", {"top/a.txt", "top/sub/c.txt", "top/sub/deep/d.txt"}),
        ("**/deep/**", {"top/sub/deep/d.txt"}),
        ("top/s*r", {"top/s*r"}),  # what is there under that very name is no pattern
        ("top/s[u]b/c.*", {"top/sub/c.txt"}),
        ("odd/e.txt", {"./odd/./e.txt"}),
        ("", set()),
        ("/", set()),
        ("no/*", set()),
    ],
)
def test_paths(path: str, names: set[str]) -> None:
    assert found(path) == names
    assert choose(ENTRIES, [path]).missing == (() if names else (path,))


def test_several() -> None:
    chosen = choose(ENTRIES, ["top/sub/c.txt", "none", "top/sub", "*.py", "no*"])
    assert {NAMES[number]: root for number, root in chosen.roots.items()} == {
        "top/b.py": "top/b.py",
        "top/sub": "top/sub",
        "top/sub/c.txt": "top/sub",  # the directory holds it already
        "top/sub/deep/d.txt": "top/sub",
    }
    assert chosen.missing == ("none", "no*")


def test_a_deep_name_takes_no_time() -> None:
    deep = [TreeEntry("a/" * 2000 + "b", "file", 0o644, 0, 0, "", 512, 0)] * 20
    assert len(choose(deep, ["**/*/**/a/**/c", "a", "x"]).roots) == 20
