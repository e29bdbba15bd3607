"""`nzip grep` beside the system's grep: the same lines, the same marks and colours, the same exit status."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from cli.tools import Run, Shell

import nzip

GREP = shutil.which("grep")
needs_grep = pytest.mark.skipif(GREP is None, reason="there is no grep to compare with")
LOCALE = {"LC_ALL": "C.UTF-8"}
WORDS = ("session", "opened", "closed", "root", "Root", "failure", "sshd[4711]", "10.0.0.1", "192.168.10.25", "uid=0",
         "user", "naïve", "日本", "x", "", "a.b", "*", "kernel:", "12345678", "end$", "^start")  # fmt: skip


def log(seed: int, lines: int = 300, *, bad: bool = False, ended: bool = True) -> bytes:
    """Return a log with times, words of several kinds, and lines of several lengths."""
    chance = random.Random(seed)
    found, second = [], 0
    for _ in range(lines):
        second += chance.choice((0, 0, 1, 40, 3000))
        time = f"2015-07-{1 + second // 86400 % 30:02} {second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}"
        words = [chance.choice(WORDS) for _ in range(chance.choice((0, 3, 8, 60)))]
        line = " ".join([time, *words] if chance.random() < 0.9 else words).encode()
        if bad and chance.random() < 0.05:
            line += b" \xff uid=0"
        found.append(line)
    return b"\n".join(found) + b"\n" * ended


@pytest.fixture(autouse=True)
def _utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", LOCALE["LC_ALL"])


def packed(place: Path, data: bytes, **settings: object) -> None:
    settings = {"level": 2, "block_size": 1024, "searchable": True, **settings}
    place.write_bytes(nzip.compress(data, **settings))  # type: ignore[arg-type]


def compare(run: Run, *args: str) -> None:
    """Compare what is printed of `log.nz` with what grep prints of `log`; both are called `log` in it."""
    assert GREP is not None
    wanted = subprocess.run([GREP, *args, "log"], capture_output=True, env={**os.environ, **LOCALE}, check=False)
    found = run("grep", *args, "log.nz")
    assert found.stdout_bytes.replace(b"log.nz", b"log") == wanted.stdout
    assert found.exit_code == wanted.returncode
    assert (b"binary file matches" in found.stderr_bytes) == (b"binary file matches" in wanted.stderr)


PATTERNS = [
    ("session",), ("-F", "10.0.0.1"), ("-w", "root"), ("-i", "ROOT"), ("-i", "\u017fe\u017f\u017fion"),
    ("-x", "x"), ("uid=0$",), ("^2015-07-0[12]",),
    ("nowhere",), ("",), ("^$",), ("-E", "opened|closed"), ("-E", "(session|user) [a-z]+ed"), ("opened\\|closed",),
    ("-e", "naïve", "-e", "kernel:"), ("日",), ("na.ve",), ("-F", "*"), ("a\\.b",), ("192\\.168\\.10\\.25",),
    ("168.10.2",), ("12345678",), ("2345",), ("\\<user\\>",), ("user\\b.*root",), ("-E", "(x )+x"), ("\\(ro\\)o.*\\1",),
    ("[[:upper:]]oot",), ("[^[:alnum:][:space:]]4711",), ("-E", "o{2}t|l{3}"), ("o\\{2\\}",),
    ("-E", "^[0-9-]+ .*end\\$"),
    ("-w", "-i", "user"), ("-F", "-x", "user"), ("-F", "-e", "sshd[4711]", "-e", "failure"),
]  # fmt: skip


@needs_grep
@pytest.mark.parametrize("pattern", PATTERNS, ids=" ".join)
def test_patterns_match_the_lines_that_grep_prints(run: Run, pattern: tuple[str, ...]) -> None:
    Path("log").write_bytes(log(1))
    packed(Path("log.nz"), log(1))
    compare(run, "-n", *pattern)
    compare(run, "-c", "-v", *pattern)
    compare(run, "-o", "-b", *pattern)


@needs_grep
@pytest.mark.parametrize(
    "options",
    [
        ("-c",), ("-l",), ("-L",), ("-o",), ("-n", "-b", "-H"), ("-h",), ("-v", "-n"), ("-m", "2"), ("-m", "0"),
        ("-m", "3", "-A", "2"), ("-A", "3"), ("-B", "4", "-n"), ("-C", "2", "-b"), ("-2", "-n"), ("-A", "0"), ("-q",),
        ("--color=always",), ("--color=always", "-n", "-H", "-B", "1"), ("--color=always", "-v", "-A", "1"),
        ("--color=always", "-o", "-b"), ("-o", "-A", "1"), ("-v", "-o"), ("-v", "-C", "1"), ("-c", "-m", "1"),
    ],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("word", ["failure", "nowhere", "12345678", "10.0.0.1"])
def test_options_print_what_grep_prints(run: Run, options: tuple[str, ...], word: str) -> None:
    Path("log").write_bytes(log(2))
    packed(Path("log.nz"), log(2))
    compare(run, *options, word)


@needs_grep
@pytest.mark.parametrize("options", [(), ("-c",), ("-a",), ("-v",), ("-A", "2"), ("-o",), ("-l",)], ids=" ".join)
@pytest.mark.parametrize("ended", [True, False])
def test_bytes_that_are_no_text(run: Run, options: tuple[str, ...], ended: bool) -> None:
    data = log(3, bad=True, ended=ended)
    Path("log").write_bytes(data)
    packed(Path("log.nz"), data)
    compare(run, *options, "uid=0")
    Path("log").write_bytes(data := b"text uid=0\n\0more uid=0\0uid=0\n" + data)
    packed(Path("log.nz"), data)
    compare(run, *options, "uid=0")


@needs_grep
@pytest.mark.parametrize("seed", range(6))
def test_joined_files_are_one(run: Run, seed: int) -> None:
    parts = [log(seed, 40, ended=seed % 2 == 0), log(seed + 50, 30, ended=False), b"alone ", log(seed + 9, 30)]
    Path("log").write_bytes(b"".join(parts))
    packings = [nzip.compress(part, 2, block_size=1024, searchable=seed < 4 or None) for part in parts]
    Path("log.nz").write_bytes(b"".join(packings))
    for pattern in ("session", "alone", "failure", "nowhere", "^2015", "x$"):
        compare(run, "-n", pattern)
        compare(run, "-n", "-B", "2", "-A", "1", pattern)
        compare(run, "-c", pattern)


@needs_grep
def test_files_folders_and_stdin(run: Run, here: Path) -> None:
    Path("d/e").mkdir(parents=True)
    for name in ("d/a", "d/e/b", "d/c"):
        Path(name).write_bytes(log(len(name)))
    found = run("grep", "-r", "failure", "d")
    wanted = b"".join(
        b"%s:%s\n" % (name.encode(), line)
        for name in ("d/a", "d/c", "d/e/b")
        for line in Path(name).read_bytes().splitlines()
        if b"failure" in line
    )
    assert found.stdout_bytes == wanted
    packed(Path("d/a.nz"), log(1))
    assert run("grep", "-c", "failure", "d/a.nz", "d/a").stdout_bytes.splitlines()[1].startswith(b"d/a:")
    assert b"is a directory" in run("grep", "x", "d").stderr_bytes.lower()
    both = run("grep", "-H", "failure", "-", input=Path("d/a.nz").read_bytes()).stdout_bytes
    assert both.startswith(b"(standard input):")
    assert run("grep", "failure", input=log(3)).stdout_bytes == run("grep", "failure", "d/a").stdout_bytes


def test_a_packed_folder_is_searched_file_by_file(run: Run, here: Path) -> None:
    Path("logs").mkdir()
    Path("logs/one").write_bytes(b"first line\nsecond word\n")
    Path("logs/two").write_bytes(b"third word\n")
    assert run("compress", "-2", "-r", "-q", "logs").exit_code == 0
    found = run("grep", "-n", "-H", "word", "logs.tar.nz")
    assert sorted(found.stdout_bytes.splitlines()) == [
        b"logs.tar.nz:logs/one:2:second word", b"logs.tar.nz:logs/two:1:third word",
    ]  # fmt: skip


def test_exit_statuses(run: Run, here: Path) -> None:
    Path("log").write_bytes(b"a word\n")
    assert run("grep", "word", "log").exit_code == 0
    assert run("grep", "other", "log").exit_code == 1
    missing = run("grep", "word", "missing", "log")
    assert (missing.exit_code, missing.stdout_bytes) == (2, b"log:a word\n")
    assert b"missing" in missing.stderr_bytes
    assert run("grep", "-q", "word", "missing", "log").exit_code == 0
    assert run("grep", "-s", "word", "missing", "log").stderr_bytes == b""


@pytest.mark.parametrize(
    "pattern", [["\\(a"], ["-E", "(a"], ["[a"], ["[[:nothing:]]"], ["a\\"], ["-E", "a{2,1}"], ["\\(a\\)\\2"], ["[z-a]"]]
)
def test_a_wrong_pattern_is_one_line(run: Run, pattern: list[str]) -> None:
    found = run("grep", *pattern, "text")
    assert (found.exit_code, len(found.stderr_bytes.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--after", "2015-07-02"], [3, 4, 5]),
        (["--before", "2015-07-02 10:30"], [1, 2, 3, 4]),
        (["--after", "2015-07-01 11", "--before", "2015-07-03"], [3, 4]),
        (["--after", "Jul 3"], [5]),
        (["--after", "2016"], []),
    ],
)
def test_times(run: Run, options: list[str], wanted: list[int]) -> None:
    """A line without a time has that of the line above it."""
    data = (
        b"2015-07-01 10:00:00,100 a word\n  and a word below\n2015-07-02 10:00:00 a word\n"
        b"2015-07-02 10:29:59.9 a word\n2015-07-03T00:00:00 a word\n"
    )
    Path("log").write_bytes(data)
    for size in (1024, 1 << 16):
        packed(Path("log.nz"), data * 1, block_size=size)
        lines = run("grep", "-n", *options, "word", "log.nz").stdout_bytes.splitlines()
        assert [int(line.split(b":")[0]) for line in lines] == wanted
        assert run("grep", "-n", *options, "word", "log").stdout_bytes.splitlines() == lines


def test_a_wrong_time_is_one_line(run: Run) -> None:
    found = run("grep", "--after", "yesterday", "x", "text")
    assert found.exit_code == 2
    assert b"yesterday" in found.stderr_bytes


def test_patterns_from_files(run: Run, here: Path) -> None:
    Path("log").write_bytes(b"one\ntwo\nthree\n")
    Path("words").write_bytes(b"one\nthree\n")
    Path("none").write_bytes(b"")
    assert run("grep", "-f", "words", "log").stdout_bytes == b"one\nthree\n"
    assert run("grep", "-f", "none", "log").exit_code == 1
    assert run("grep", "-f", "missing", "log").exit_code == 2
    assert run("grep", "-e", "-x", "log").exit_code == 1


@needs_grep
def test_a_locale_of_bytes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOCALE, "LC_ALL", "C")
    monkeypatch.setenv("LC_ALL", "C")
    data = log(5, bad=True)
    Path("log").write_bytes(data)
    packed(Path("log.nz"), data)
    for args in (("-n", "na..ve"), ("-o", "\\w*ve"), ("-c", "[^a]ve"), ("-n", "-i", "ROOT")):
        compare(run, *args)


def test_a_closed_pipe_ends_quietly(shell: Shell, here: Path) -> None:
    packed(here / "log.nz", b"a line of some length that matches\n" * 50_000, block_size=1 << 16)
    reader, writer = os.pipe()
    os.close(reader)
    try:
        found = shell("grep", "line", "log.nz", stdout=writer)
    finally:
        os.close(writer)
    assert (found.returncode, found.stderr) == (1, b"")
