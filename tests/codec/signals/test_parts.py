"""Large signals in parts: cut, joined, and none that takes more memory than it should."""

from dataclasses import replace

import numpy as np
import pytest

from nzip.codec.signals import parts
from nzip.codec.signals.parts import cut, joined
from nzip.models.latent import codecs, record
from nzip.models.latent.record import Head


@pytest.mark.parametrize("size", [(90, 70), (48, 48), (49, 33), (5000,), (3072,), (3073,)])
def test_parts_join_to_the_whole(size):
    """Parts that come back as they were give the signal again, whatever the sizes."""
    kind, tile = (record.PICTURE, 32) if len(size) == 2 else (record.SOUND, 2048)
    codec = codecs.by_name("walloc", "image" if len(size) == 2 else "audio")[0]
    head = record.Head(1, "00" * 8, (), kind, size, codec.channels, rate=8000, tile=tile)
    signal = np.random.default_rng(1).uniform(-1, 1, (codec.channels, *size)).astype(np.float32)
    made = cut(head, codec, [signal, -signal][: head.groups(codec)])
    pieces = [piece for group, _, piece in joined(head, codec, iter(made)) if group == 0]
    assert all(min(part.shape[1:]) > record.OVERLAP[kind] for part in made)
    assert np.abs(np.concatenate(pieces, axis=1) - signal).max() < 1e-6


def test_a_part_is_cut_where_its_codec_needs_much(monkeypatch):
    codec, model = codecs.by_name("vqgan", "image")
    head = Head(codecs.CODECS["vqgan"].id, model, (0,), record.PICTURE, (1000, 1000), 3)
    assert parts.tile_of(head, codec) == 0
    assert parts.tile_of(replace(head, size=(4000, 3000)), codec) == 1536
    monkeypatch.setattr(parts, "PART_MEMORY", 256 << 20)
    tile = parts.tile_of(head, codec)
    assert 256 <= tile <= 768
    line = replace(head, size=(1, 1 << 28))
    cut = replace(line, tile=parts.tile_of(line, codec))
    assert len(cut.places(codec)) <= record.MAX_PARTS
