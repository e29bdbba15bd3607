"""Files become pieces to learn from, with their sources and licences."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nzip.errors import UnsupportedError
from nzip.formats.signals.audio import write_audio
from nzip.formats.signals.base import Audio, Image
from nzip.formats.signals.images import write_image
from nzip.models.latent.training import data

RANDOM = np.random.default_rng(3)


def test_pictures_and_their_sources(tmp_path):
    pytest.importorskip("PIL")
    pixels = RANDOM.integers(0, 256, (90, 130, 3), np.uint8)
    (tmp_path / "mine").mkdir()
    write_image(Image(pixels), tmp_path / "mine" / "a.png")
    write_image(Image(pixels[:, :, :1]), tmp_path / "b.png")
    write_image(Image(pixels[:20, :20]), tmp_path / "small.png")
    (tmp_path / "notes.txt").write_text("none")
    stated = {"mine/": {"source": "my camera", "licence": "CC0"}}
    (tmp_path / data.LICENCES).write_text(json.dumps(stated))
    material = data.pictures([tmp_path], least=40, reduce=2)
    assert [piece.shape for piece in material.pieces] == [(45, 65, 3), (45, 65, 3)]
    assert (material.pieces[0][:, :, 1] == material.pieces[0][:, :, 2]).all()  # b.png, grey
    assert [source.licence for source in material.sources] == ["not stated", "CC0"]
    assert len(material.skipped) == 2
    crops = data.Crops(material.pieces, 32, 4, seed=1)
    assert crops.at(7).shape == (4, 3, 32, 32)
    assert np.array_equal(crops.at(7), crops.at(7))
    assert not np.array_equal(crops.at(7), crops.at(8))
    with pytest.raises(UnsupportedError, match="nothing there"):
        data.pictures([tmp_path / "notes.txt"])
    with pytest.raises(UnsupportedError, match="as large"):
        data.Crops(material.pieces, 512, 4, seed=1)


def test_sounds_at_one_rate(tmp_path):
    pytest.importorskip("soundfile")
    samples = (RANDOM.random((2, 16000), np.float32) - 0.5) * 0.5
    write_audio(Audio(samples, 8000), tmp_path / "a.wav")
    write_audio(Audio(samples[:, :100], 8000), tmp_path / "short.wav")
    material = data.sounds([tmp_path], rate=16000, channels=1)
    assert [piece.shape for piece in material.pieces] == [(1, 32000)]
    assert data.sounds([tmp_path], rate=4000, channels=2).pieces[0].shape == (2, 8000)
    assert data.Crops(material.pieces, 400, 3, seed=1).at(0).shape == (3, 1, 400)
