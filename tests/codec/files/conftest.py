"""Fixtures for the tests of files."""

import os
from pathlib import Path

import devices
import pytest
from codec.files.tools import FAST, TEXT

from nzip.codec.files.compress import compress_file


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "text"
    path.write_bytes(TEXT)
    path.chmod(0o640)
    os.utime(path, ns=(1_000_000_000_123_456_789, 1_100_000_000_123_456_789))
    return path


@pytest.fixture
def packed(source: Path) -> Path:
    compress_file(source, **FAST)
    return source.with_name("text.nz")


@pytest.fixture
def null(tmp_path: Path) -> Path:
    """A copy of /dev/null."""
    return devices.null(tmp_path)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with what directories hold."""
    root = tmp_path / "tree"
    (root / "sub" / "empty").mkdir(parents=True)
    (root / "b.txt").write_bytes(TEXT)
    (root / "a.txt").write_bytes(b"x" * 10)
    (root / "sub" / "c").write_bytes(b"")
    if os.name == "posix":
        (root / "link").symlink_to("a.txt")
        (root / "sub" / "up").symlink_to("../b.txt")
        os.link(root / "a.txt", root / "hard")
        (root / "a.txt").chmod(0o600)
    os.utime(root / "sub", (1e9, 1e9))
    return root
