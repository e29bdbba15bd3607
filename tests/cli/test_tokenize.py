"""`nzip tokenize`."""

import json

import numpy as np
import pytest
from cli.tools import TEXT

MODEL = ("--model", "unigram")


def test_there_and_back(run, here):
    result = run("tokenize", *MODEL, "text")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "tokens" in result.stderr
    assert "-> text.nzt" in result.stderr
    (here / "text").unlink()
    assert run("tokenize", "-d", "text.nzt").exit_code == 0
    assert (here / "text").read_bytes() == TEXT


@pytest.mark.parametrize("variant", ["reserved", "delay", "lookahead"])
def test_settings_are_in_the_file(run, here, variant):
    settings = ("-W", "40", "--token-bits", "8", "--variant", variant, "--reset", "never")
    packed = run("tokenize", *MODEL, *settings, "-c", "text")
    assert packed.exit_code == 0
    assert run("tokenize", "-d", input=packed.stdout_bytes).stdout_bytes == TEXT


def test_npy(run, here):
    assert run("tokenize", *MODEL, "--npy", "text").exit_code == 0
    ids = np.load(here / "text.npy")
    assert ids.dtype == np.uint16


def test_json(run, here):
    values = json.loads(run("tokenize", *MODEL, "--json", "text").stdout)
    assert values["ok"]
    assert values["raw_size"] == len(TEXT)
    assert values["tokens"] == values["windows"]


def test_failures(run, here):
    run("tokenize", *MODEL, "text")
    again = run("tokenize", *MODEL, "text")
    assert (again.exit_code, again.stderr.count("\n")) == (1, 1)
    assert "already exists" in again.stderr
    assert run("tokenize", *MODEL, "-f", "text").exit_code == 0
    damaged = bytearray((here / "text.nzt").read_bytes())
    damaged[-20] ^= 1
    (here / "bad.nzt").write_bytes(damaged)
    result = run("tokenize", "-d", "bad.nzt")
    assert (result.exit_code, result.stderr) == (1, "nzip: bad.nzt: the file is damaged\n")
    assert not (here / "bad").exists()
    assert run("tokenize", "-d", "text").exit_code == 1
    assert "token file" in run("tokenize", "-d", "-c", "text").stderr
    limited = run("tokenize", "-d", "-c", "-M", "100", "text.nzt")
    assert (limited.exit_code, limited.stdout_bytes) == (1, b"")


@pytest.mark.parametrize("args", [("-W", "7"), ("--token-bits", "9"), ("-d", "-W", "16"), ("-M", "1K")])
def test_wrong_usage(run, here, args):
    result = run("tokenize", *args, "text")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
