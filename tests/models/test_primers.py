"""Primers: the texts are those of the format, and a block gets the one that it resembles."""

from __future__ import annotations

import hashlib
import random

import pytest
from models.texts import PYTHON

from nzip.errors import NzipError
from nzip.models import primers


def test_primers_are_those_of_the_format() -> None:
    assert list(primers.PRIMERS) == list(range(1, 15))
    for number, primer in primers.PRIMERS.items():
        assert len(primers.text(number)) == primer.size <= 1 << 17
    assert 400_000 < primers.model_bytes() < 700_000
    listed = repr(primers.PRIMERS).encode()
    assert hashlib.sha256(listed).hexdigest()[:16] == "c14802e291e3e45d"


def test_nearest_primer() -> None:
    def kind(block: bytes) -> str:
        number = primers.nearest(block)
        return primers.PRIMERS[number].kind if number else "none"

    assert kind(PYTHON) == "python"
    assert kind(b"#include <stdio.h>\n\nint main(int argc, char *argv[])\n{\n    return 0;\n}\n" * 2) == "c"
    page = b'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>a</title></head></html>'
    assert kind(page) == "html"
    dice = random.Random(5)
    assert kind(b"") == kind(b"abc") == kind(dice.randbytes(5000)) == kind(bytes(5000)) == "none"
    assert kind(bytes(dice.choice(b"ACGT") for _ in range(9000))) == "none"


def test_damaged_primer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    other = {1: primers.PRIMERS[1]._replace(sha256="0" * 64)}
    monkeypatch.setattr(primers, "PRIMERS", other)
    primers.text.cache_clear()
    with pytest.raises(NzipError, match="'python'"):
        primers.text(1)
    primers.text.cache_clear()
