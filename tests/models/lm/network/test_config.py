"""Shapes for which the arithmetic is not exact are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tiny_llama import CONFIG

from nzip.errors import UnsupportedError


@pytest.mark.parametrize(
    "change",
    [{"heads": 5}, {"width": 40}, {"vocab": 1}, {"rms_eps": 0.0}, {"max_context": 4096}, {"bos": 107}, {"tied": 1}],
)
def test_config_refuses(change: dict) -> None:
    with pytest.raises(UnsupportedError):
        replace(CONFIG, **change)
