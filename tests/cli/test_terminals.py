"""What the command prints on terminals that lack characters: Latin-1, ASCII, TERM=dumb. It never fails for that."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli.tools import TEXT

import nzip

NAME = "ü → 文.nz"
PLACES = {
    "latin-1": {"PYTHONIOENCODING": "latin-1", "TERM": "dumb"},
    "ascii": {"PYTHONIOENCODING": "ascii:strict"},
    "C": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "TERM": "dumb"},
    "ISO": {"LC_ALL": "", "LC_CTYPE": "", "LANG": "de_DE.ISO-8859-1", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
}
HELPS = [
    "", "compress", "decompress", "test", "list", "info", "levels", "bench", "corpora", "corpora list", "corpora fetch",
    "corpora verify", "models", "models list", "models latent", "models records", "models pull", "models add",
    "models verify", "models remove", "train", "tokenize", "completion", "eval", "eval ratio", "eval kolmogorov",
    "eval intelligence", "eval capacity", "eval learnability", "eval ncd", "eval classify", "eval align",
    "eval perception",
]  # fmt: skip
LINES = [
    (["list", "-v", NAME], 0),
    (["info", NAME], 0),
    (["-tv", NAME], 0),
    (["test", "→.nz"], 1),
    (["-0", "→"], 2),
    (["→"], 2),
    (["compress", "--lösy", "x"], 2),
    (["compress", "-1vf", NAME], 0),
    (["decompress", "-cf", NAME], 0),
    (["compress", "-1qr", "dü"], 0),
    (["levels"], 0),
    (["models", "latent"], 0),
    (["corpora", "list", "-v"], 0),
    (["bench", NAME, "--levels", "1"], 0),
]  # fmt: skip
# All of one place in one process, for starts take time; each line as the command itself would run it.
CODE = """
import io, json, os, sys
from nzip.cli import cli
from nzip.cli.output.errors import describe
status = []
for args in json.loads(sys.argv[1]):
    args = [os.fsdecode(word.encode()) for word in args]  # as they come from a shell
    status.append(cli.main(args, prog_name="nzip", standalone_mode=False))
    sys.stdout.reconfigure(errors="strict"), sys.stderr.reconfigure(errors="backslashreplace")
sys.stderr.write("STATUS " + json.dumps(status))
"""


@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
@pytest.mark.parametrize("place", PLACES)
def test_every_help_and_report(here: Path, place: str) -> None:
    import json

    with nzip.Compressor(1, name="x → y.txt") as packer:
        (here / NAME).write_bytes(packer.compress(TEXT) + packer.flush())
    (here / "dü").mkdir()
    lines = [*([*help_.split(), "--help"] for help_ in HELPS), *(line for line, _ in LINES)]
    result = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(lines, ensure_ascii=True)],
        cwd=here, env={**os.environ, **PLACES[place]}, capture_output=True, timeout=300, check=False,
    )  # fmt: skip
    assert b"Traceback" not in result.stderr, result.stderr.decode("latin-1")
    status = json.loads(result.stderr.rpartition(b"STATUS ")[2])
    assert status == [0] * len(HELPS) + [expected for _, expected in LINES], result.stderr.decode("latin-1")
    assert b"internal error" not in result.stderr
    if place == "latin-1":  # click takes a terminal that knows nothing but ASCII for one that reads UTF-8
        assert "ü".encode("latin-1") in result.stdout
        assert b"-1 ... -9, --level N" in result.stdout


def test_signs_have_a_plain_form(here: Path) -> None:
    run = [sys.executable, "-m", "nzip", "-0", "x"]
    result = subprocess.run(run, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "latin-1"}, check=False)
    assert result.stderr == b"nzip: -0 is no level: levels are -1 ... -9; see nzip --help\n"


BAR = """
import sys, time
from nzip.cli import cli
from nzip.cli.output import lines, progress, words
words.write_any_text()
def work(tally):
    for i in range(6):
        tally(i << 20, 8 << 20, i << 18)
        lines.say("zwölf → 文")
        time.sleep(0.12)
progress.watch(work, label="…ü文" * 20, bar=True)
with progress.steps(True) as step:
    step(1, 2, "ü → 文")
"""


@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
@pytest.mark.parametrize("term", ["dumb", "xterm", ""])
def test_bars(here: Path, term: str) -> None:
    import contextlib
    import pty

    ours, theirs = pty.openpty()
    env = {**os.environ, "PYTHONIOENCODING": "latin-1", "TERM": term}
    process = subprocess.Popen([sys.executable, "-c", BAR], env=env, stderr=theirs, stdout=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):
        while data := os.read(ours, 4096):
            shown += data
    os.close(ours)
    assert process.wait(60) == 0, shown
    assert b"Traceback" not in shown
    assert b"zw\xf6lf -> \\u6587" in shown
