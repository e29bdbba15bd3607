"""The examples in the docstrings are true, and the package's lazy names are there."""

import doctest
from importlib import import_module

import pytest

import nzip.entropy


@pytest.mark.parametrize("name", ["binary", "cdf", "range", "rans"])
def test_docstring_examples(name):
    result = doctest.testmod(import_module(f"nzip.entropy.{name}"))
    assert result.attempted > 0
    assert result.failed == 0


def test_names():
    for name in nzip.entropy.__all__:
        assert getattr(nzip.entropy, name).__name__ == name
    assert set(nzip.entropy.__all__) <= set(dir(nzip.entropy))
    with pytest.raises(AttributeError):
        nzip.entropy.missing  # noqa: B018 - looking it up is the test
