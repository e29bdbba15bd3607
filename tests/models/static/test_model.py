"""The static byte model: its tables, its kernels, and the windows they code."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive_static import NaiveStatic

from nzip.entropy import equal_info
from nzip.entropy import range as coder
from nzip.entropy.equal_info import DELAY, LOOKAHEAD, RESERVED
from nzip.models.static import model as static
from nzip.models.static import shipped
from nzip.models.static.model import StaticModel
from nzip.models.static.tables import train

TEXT = b"the cat sat on the mat; the dog sat on the log. the cat and the dog sat. \xff\0" * 3
SMALL = StaticModel.trained(TEXT)


@pytest.mark.parametrize("order", range(8))
def test_rows_equal_the_naive_model(order):
    texts = [(TEXT, 1), (b"a dog on a mat", 3)]
    naive = NaiveStatic(texts, order)
    model = StaticModel("own", train(texts, order))
    for byte in b"the cat on the log \x80\xff the dog sat on the ma":
        assert model.frequencies() == naive.frequencies()
        model.update(byte)
        naive.update(byte)
    model.reset()
    naive.reset()
    assert model.frequencies() == naive.frequencies()


@pytest.mark.parametrize("text", [b"a", b"ab", b"abc" * 2, bytes(range(256))])
def test_short_texts(text):
    naive, model = NaiveStatic([(text, 1)], 6), StaticModel.trained(text)
    for byte in text + b"z":
        assert model.frequencies() == naive.frequencies()
        model.update(byte)
        naive.update(byte)


@given(
    st.one_of(st.binary(max_size=50), st.text("the cadogs ", max_size=60).map(str.encode)),
    st.one_of(st.sampled_from([8, 16, 24, 32, 37, 38, 39, 64, 128, 129]), st.integers(8, 300)),
    st.sampled_from([RESERVED, DELAY, LOOKAHEAD]),
    st.sampled_from([0, 1, 2]),
)
def test_kernels_equal_plain_python(data, bits, variant, every):
    plain = equal_info.encode_windows(data, copy.deepcopy(SMALL), bits, variant, every)
    fast = SMALL.encode_windows(data, bits, variant, every)
    assert fast.code == plain.code
    assert fast.lengths.tolist() == plain.lengths.tolist()
    wrong = {}
    if variant == LOOKAHEAD:
        wrong = equal_info.wrong_lengths(data, plain, copy.deepcopy(SMALL), bits, every)
        assert SMALL.wrong_lengths(data, fast, bits, every) == wrong
    count = len(fast.lengths)
    assert SMALL.decode_windows(fast.code, count, len(data), bits, variant, every, wrong) == data
    model = copy.deepcopy(SMALL)
    assert equal_info.decode_windows(fast.code, count, len(data), model, bits, variant, every, wrong) == data


@pytest.mark.parametrize("every", [0, 1, 2])
def test_chunks_do_not_show(every, monkeypatch):
    data = TEXT * 3
    whole = SMALL.encode_windows(data, 40, RESERVED, every)
    monkeypatch.setattr(static, "CHUNK", 40)
    parts = SMALL.encode_windows(data, 40, RESERVED, every)
    assert parts.code == whole.code
    assert SMALL.decode_windows(whole.code, len(whole.lengths), len(data), 40, RESERVED, every) == data


def test_intervals_are_the_frequencies():
    starts, freqs, totals = SMALL.intervals(TEXT)
    SMALL.reset()
    for i, byte in enumerate(TEXT[:80]):
        frequencies = SMALL.frequencies()
        assert (starts[i], freqs[i], totals[i]) == (sum(frequencies[:byte]), frequencies[byte], sum(frequencies))
        SMALL.update(byte)
    assert coder.encode_intervals(starts, freqs, totals)


def test_identity():
    assert StaticModel.trained(TEXT).identity == SMALL.identity
    assert StaticModel.trained(TEXT, 5).identity != SMALL.identity


@pytest.mark.parametrize(("text", "order"), [(b"", 6), (b"a", 8), (b"a", -1)])
def test_what_cannot_be_trained(text, order):
    with pytest.raises(ValueError):
        StaticModel.trained(text, order)


@pytest.mark.slow
def test_shipped_models():
    """These hashes stand in token files: a change of a table is a new model, under another name."""
    assert shipped.model("unigram").identity.hex() == "31cfbf405220d0b049b853f387019bec17c2175138cdf7aa37ea6df8bfee4837"
    assert shipped.model("text").identity.hex() == "d3bac7523de4f3b18c8678771f1697f92186b43500e3d8ad2b14a765599d414a"
