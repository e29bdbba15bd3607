"""The package's lazy names are there."""

import pytest

import nzip.entropy


def test_names():
    for name in nzip.entropy.__all__:
        assert getattr(nzip.entropy, name).__name__ == name
    assert set(nzip.entropy.__all__) <= set(dir(nzip.entropy))
    with pytest.raises(AttributeError):
        nzip.entropy.missing  # noqa: B018 - looking it up is the test
