"""The tokenizer and its files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nzip
from nzip.codec.tokens.tokenizer import read_header, tokenizer_for, unpack
from nzip.models.static.model import StaticModel
from nzip.models.static.shipped import AdaptiveModel

MODEL = StaticModel.trained(b"it is a truth that a text of a few words trains a model of a few contexts. " * 4)
DATA = b"a text of a few words is a text that trains."
SETTINGS = [
    (bits, token, variant, reset)
    for bits in (8, 16, 19, 24, 64)
    for token in (8, 16)
    for variant in ("reserved", "delay", "lookahead")
    for reset in ("window", "second", "never")
]


@pytest.mark.parametrize(("bits", "token", "variant", "reset"), SETTINGS)
def test_there_and_back(bits, token, variant, reset):
    tokenizer = nzip.EqualInfoTokenizer(MODEL, bits, token, variant=variant, reset=reset)
    for data in (b"", b"a", DATA, bytes(40)):
        tokens = tokenizer.encode(data)
        assert tokens.ids.dtype == (np.uint8 if token == 8 else np.uint16)
        assert len(tokens.ids) == -(-tokens.windows * bits // token)
        assert tokenizer.decode(tokens) == data
        packed = tokenizer.pack(tokens)
        header, again = unpack(packed)
        assert again.ids.tolist() == tokens.ids.tolist()
        assert (header.variant, header.reset, header.window_bits, header.token_bits) == (variant, reset, bits, token)
        assert nzip.detokenize(packed, MODEL) == data


@given(st.binary(max_size=80), st.integers(8, 200), st.sampled_from([8, 16]))
def test_any_bytes(data, bits, token):
    tokenizer = nzip.EqualInfoTokenizer(MODEL, bits, token)
    assert nzip.detokenize(tokenizer.pack(tokenizer.encode(data)), MODEL) == data


def test_a_model_in_python():
    tokenizer = nzip.EqualInfoTokenizer(AdaptiveModel(), 64, 16)
    tokens = tokenizer.encode(DATA)
    assert tokenizer.decode(tokens) == DATA
    assert nzip.detokenize(tokenizer.pack(tokens)) == DATA


def test_one_window_is_one_token():
    tokens = nzip.EqualInfoTokenizer(MODEL, 16, 16).encode(DATA)
    assert len(tokens.ids) == tokens.windows
    again = nzip.EqualInfoTokenizer(MODEL, 16, 16).encode(DATA * 2)
    assert again.ids[: tokens.windows - 1].tolist() == tokens.ids[:-1].tolist()


def test_golden_file():
    tokenizer = nzip.EqualInfoTokenizer(AdaptiveModel(), 24, 8)
    packed = tokenizer.pack(tokenizer.encode(b"aaaaaaaaab"))
    assert packed.hex() == GOLDEN


GOLDEN = (
    "f56e74010800010861646170746976655751056270e826ad14815223c534f1cc9c146df6f404126088a6b4dba7ff321b180a02006a2f55ab"
    "3d466747324e352761615e620000752e07aad1aa92b6"
)


@pytest.mark.parametrize("variant", ["reserved", "lookahead"])
def test_every_truncation_and_flip_is_found(variant):
    tokenizer = nzip.EqualInfoTokenizer(MODEL, 24, 8, variant=variant)
    packed = tokenizer.pack(tokenizer.encode(DATA))
    for end in range(len(packed)):
        with pytest.raises((nzip.CorruptError, nzip.UnsupportedError)):
            nzip.detokenize(packed[:end], MODEL)
    for place in range(len(packed)):
        for bit in range(8):
            damaged = bytearray(packed)
            damaged[place] ^= 1 << bit
            with pytest.raises((nzip.CorruptError, nzip.UnsupportedError)):
                nzip.detokenize(bytes(damaged), MODEL)
    with pytest.raises(nzip.CorruptError):
        nzip.detokenize(packed + b"\0", MODEL)


def test_damaged_tokens_are_found_by_the_check_of_the_text():
    tokenizer = nzip.EqualInfoTokenizer(MODEL, 16, 16)
    tokens = tokenizer.encode(DATA)
    for place in range(len(tokens.ids)):
        ids = tokens.ids.copy()
        ids[place] ^= 1 << 9
        damaged = nzip.Tokens(ids, tokens.length, tokens.windows, {}, tokens.check)
        with pytest.raises(nzip.CorruptError):
            tokenizer.decode(damaged)
    with pytest.raises(nzip.CorruptError):
        tokenizer.decode(nzip.Tokens(tokens.ids[:-1], tokens.length, tokens.windows, {}, tokens.check))


def test_limits_and_other_models():
    tokenizer = nzip.EqualInfoTokenizer(MODEL, 16, 16)
    packed = tokenizer.pack(tokenizer.encode(DATA))
    assert nzip.detokenize(packed, MODEL, max_output_size=len(DATA)) == DATA
    with pytest.raises(nzip.LimitError):
        nzip.detokenize(packed, MODEL, max_output_size=len(DATA) - 1)
    with pytest.raises(nzip.UnsupportedError, match="'own'"):
        nzip.detokenize(packed)
    with pytest.raises(nzip.UnsupportedError, match="another version"):
        tokenizer_for(read_header(packed), AdaptiveModel())


@pytest.mark.parametrize(
    ("args", "settings"),
    [
        ((MODEL, 7, 16), {}),
        ((MODEL, 65537, 16), {}),
        ((MODEL, 16, 12), {}),
        ((MODEL, 16, 16), {"variant": "x"}),
        ((MODEL, 16, 16), {"reset": "x"}),
        (("no such model", 16, 16), {}),
    ],
)
def test_settings_that_are_refused(args, settings):
    with pytest.raises(ValueError):
        nzip.EqualInfoTokenizer(*args, **settings)


def test_progress():
    seen = []
    tokenizer = nzip.EqualInfoTokenizer(MODEL, 16, 16)
    tokens = tokenizer.encode(DATA, progress=lambda *numbers: seen.append(numbers))
    assert seen[-1][:2] == (len(DATA), len(DATA))
    tokenizer.decode(tokens, progress=lambda *numbers: seen.append(numbers))
    assert seen[-1][2] == len(DATA)
