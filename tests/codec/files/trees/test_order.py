"""The order of a packed directory's entries."""

import os
import random
from pathlib import Path

import pytest
from codec.files.tools import not_root, posix

from nzip.codec.files.trees.order import Item, archive_order, extension, kind_of, walk_order

WAVE = b"RIFF\x24\x10\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x44\xac\0\0\x88\x58\1\0\2\0\x10\0data\0\x10\0\0" + bytes(4096)


def item(path: Path, root: Path) -> Item:
    info = os.lstat(path)
    return Item(str(path), path.relative_to(root.parent).as_posix(), info.st_mode, info.st_size)


def order(root: Path, seed: int = 0) -> list[str]:
    """Return the names of all below `root` in the order of the archive."""
    items = [item(path, root) for path in (root, *root.rglob("*"))]
    random.Random(seed).shuffle(items)
    return [found.name for kind in archive_order(items) for found in kind]


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    root = tmp_path / "m"
    for folder in ("a", "b"):
        (root / folder).mkdir(parents=True)
        (root / folder / "x.wav").write_bytes(WAVE)
        (root / folder / "y.py").write_bytes(b"import os\n" * 10)
        (root / folder / "z.TXT").write_bytes(b"words\n" * 10)
        (root / folder / "w.bin").write_bytes(bytes(range(256)))
        (root / folder / "picture").write_bytes(b"\xff\xd8\xff" + bytes(50))
        (root / folder / "empty").write_bytes(b"")
    return root


def test_alike_stand_together(mixed: Path) -> None:
    names = ("empty", "y.py", "z.TXT", "w.bin", "picture", "x.wav")
    assert order(mixed) == [f"m/{folder}/{name}" for name in names for folder in "ab"] + ["m/b", "m/a", "m"]


def test_depends_on_nothing_but_the_tree(mixed: Path) -> None:
    assert order(mixed, 1) == order(mixed, 2)


@posix
def test_links_and_directories_follow(tree: Path) -> None:
    found = order(tree)
    assert found[-5:] == ["tree/link", "tree/sub/up", "tree/sub/empty", "tree/sub", "tree"]


@not_root
def test_a_file_that_cannot_be_read(mixed: Path) -> None:
    (mixed / "a" / "y.py").chmod(0)
    with pytest.raises(PermissionError):
        order(mixed)


@pytest.mark.parametrize(
    ("name", "ending"),
    [("a.TXT", "txt"), ("a.tar.gz", "gz"), (".profile", ""), ("README", ""), ("a.", ""), (".a.b", "b"), ("", "")],
)
def test_extension(name: str, ending: str) -> None:
    assert extension(name) == ending


def test_kinds(mixed: Path) -> None:
    assert [kind_of(item(mixed / "a" / name, mixed)) for name in ("y.py", "w.bin", "x.wav", "picture", "empty")] == [
        "text",
        "binary",
        "audio",
        "image-jpeg",
        "text",
    ]


def test_names_in_the_order_of_a_walk() -> None:
    names = ["a", "a/b", "a/b/c", "a/b.txt", "a-b"]
    assert sorted(reversed(names), key=walk_order) == ["a", "a/b", "a/b/c", "a/b.txt", "a-b"]


def test_what_is_made_from_a_file_stands_beside_it(tmp_path: Path) -> None:
    root = tmp_path / "m"
    (root / "__pycache__").mkdir(parents=True)
    for name in ("a", "a_b", "b"):
        (root / f"{name}.py").write_bytes(b"pass\n")
        (root / "__pycache__" / f"{name}.cpython-311.pyc").write_bytes(bytes(range(256)))
        (root / f"{name}.TXT").write_bytes(b"words\n")
    assert order(root)[:9] == [
        "m/__pycache__/a.cpython-311.pyc", "m/a.py", "m/__pycache__/a_b.cpython-311.pyc", "m/a_b.py",
        "m/__pycache__/b.cpython-311.pyc", "m/b.py", "m/a.TXT", "m/a_b.TXT", "m/b.TXT",
    ]  # fmt: skip


def test_kinds_that_are_not_known_here(mixed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nzip.formats.content import headers
    from nzip.formats.content.kinds import Segment

    monkeypatch.setattr(headers, "parse", lambda head, size: Segment("new", size))
    assert kind_of(item(mixed / "a" / "y.py", mixed)) == "binary"


def test_sorts_are_told_apart(mixed: Path) -> None:
    items = [item(path, mixed) for path in (mixed, *mixed.rglob("*"))]
    sorts = [[found.name.rpartition("/")[2] for found in alike] for alike in archive_order(items)]
    assert sorts == [
        ["empty"] * 2, ["y.py"] * 2, ["z.TXT"] * 2, ["w.bin"] * 2, ["picture"] * 2, ["x.wav"] * 2, ["b", "a", "m"]
    ]  # fmt: skip
