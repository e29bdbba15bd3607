"""Tokens: every byte string comes back, and ordinary text is cut as others cut it."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from models.lm.model_files import MERGES, WITHOUT_TOKEN, gguf_metadata, tokenizer_json

from nzip.errors import CorruptError
from nzip.models.lm import vocabulary as v
from nzip.models.lm.vocabulary import Vocabulary, from_gguf, from_tokenizer_json, merge_long, merge_short

ROOT = Path(__file__).parents[3]
# Scripts, digits of several kinds, spaces of several kinds, marks, characters beyond the basic plane.
MIXED = (
    "It's 1234 times, they'LL see:  \u00e9t\u00e9 na\u00efve \u0444\u0443\u043d\u043a\u0446\u0438\u044f \u4e2d\u6587"
    "\u5b57 \u0661\u0662 \u00bd \u2167 \u3007 x\u00b2+y_2\u00a0\u2003z\u3000 \u0928\u092e\u0938\u094d\u0924\u0947"
    " \U0001d4d0\U00020000 \U0001f600\U0001f468\u200d\U0001f469!!"
    "! \t\tif (a != b) {\r\n\r\n  return  7;\n}\n   \n  end.   "
)
SNIPPETS = [b"the", b" ", b"other", b"\n", b"1", b"\xc3\xa9", b"\xc3", b"\x04", b"<b>"]
DATA = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(st.sampled_from(SNIPPETS)).map(b"".join),
)


def spaced_metadata() -> dict[str, Any]:
    """A vocabulary of SentencePiece: scores, byte tokens, a piece of a user's own."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{value:02X}>" for value in range(256)), "<b>"]
    types = [2, 3, 3, *[6] * 256, 4]
    words = ["\u2581t", "he", "\u2581the", "in", "er", "\u2581a", "\u2581\u2581", "ing", "\u2581other", "ot", "th",
             "her", "\u2581", "\u00e9t", *"etaoinshrdlu.,\u00e9\u4e2d"]  # fmt: skip
    scores = [0.0] * len(pieces) + [-float(number) for number in range(len(words))]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [piece.encode() for piece in [*pieces, *words]],
        "tokenizer.ggml.token_type": np.array([*types, *[1] * len(words)], dtype=np.int32),
        "tokenizer.ggml.scores": np.array(scores, dtype=np.float32),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
    }


def byte_level(**changes: Any) -> Vocabulary:
    metadata = {**gguf_metadata(), **changes}
    for key in ("tokenizer.ggml.tokens", "tokenizer.ggml.merges"):
        metadata[key] = [token.encode() for token in metadata[key]]
    metadata["tokenizer.ggml.token_type"] = np.array(metadata["tokenizer.ggml.token_type"], dtype=np.int32)
    return from_gguf(metadata, 300)


def with_literals() -> Vocabulary:
    whole = tokenizer_json()
    whole["added_tokens"] += [
        {"id": 290, "content": "<b>", "special": False},
        {"id": 291, "content": "<b>the", "special": False},
        {"id": 292, "content": "t", "special": False},
        {"id": 293, "content": "  ", "special": False, "lstrip": True},
    ]
    return from_tokenizer_json(json.dumps(whole), 300)


KINDS: dict[str, Callable[[], Vocabulary]] = {
    "byte level": byte_level,
    "pieces": lambda: from_gguf(spaced_metadata(), 400),
    "literals": with_literals,
    "llama3": lambda: byte_level(**{"tokenizer.ggml.pre": "llama-bpe"}),
}


@pytest.fixture(scope="module", params=KINDS)
def vocabulary(request: pytest.FixtureRequest) -> Vocabulary:
    return KINDS[request.param]()


def naive_merge(symbols: list[bytes], ranks: dict[tuple[bytes, bytes], int]) -> list[bytes]:
    """The definition: of all neighbours with a rank, the leftmost of the lowest rank is merged, again and again."""
    while True:
        found = [
            (ranks[symbols[i], symbols[i + 1]], i)
            for i in range(len(symbols) - 1)
            if (symbols[i], symbols[i + 1]) in ranks
        ]
        if not found:
            return symbols
        _, i = min(found)
        symbols = [*symbols[:i], symbols[i] + symbols[i + 1], *symbols[i + 2 :]]


PARTS = st.sampled_from(["a", "b", "c", "ab", "ba", "aa", "aab", "cc"])


class TestMerging:
    @given(st.text("abc", max_size=60), st.dictionaries(st.tuples(PARTS, PARTS), st.integers(0, 5), max_size=12))
    def test_equals_the_definition(self, text: str, pairs: dict[tuple[str, str], int]) -> None:
        ranks = {(a.encode(), b.encode()): rank for (a, b), rank in pairs.items()}
        symbols = [character.encode() for character in text]
        expected = naive_merge(symbols, ranks)
        assert merge_short([*symbols], ranks) == expected
        assert merge_long([*symbols], ranks) == expected


class TestEveryVocabulary:
    @given(data=DATA)
    def test_round_trip(self, vocabulary: Vocabulary, data: bytes) -> None:
        ids = vocabulary.encode(data)
        assert ids.dtype == np.int32
        assert vocabulary.decode(ids) == data
        assert all(vocabulary.table[number] for number in ids.tolist())

    def test_mixed_and_long(self, vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(v, "CHUNK", 500)
        monkeypatch.setattr(v, "CACHED_WORDS", 50)
        for data in (MIXED.encode() * 40, b"x" * 5000, b"the" * 3000, bytes(range(256)) * 20, b"\xe4\xb8" * 900):
            assert vocabulary.decode(vocabulary.encode(data)) == data

    def test_invariants(self, vocabulary: Vocabulary) -> None:
        stated = [piece for piece in vocabulary.table if piece]
        assert len(set(stated)) == len(stated)
        assert {bytes([value]) for value in range(256)} <= set(stated)
        assert len(vocabulary) == vocabulary.size == len(vocabulary.pieces)
        assert vocabulary.table[: vocabulary.size] == vocabulary.pieces
        assert b"".join(vocabulary.table[vocabulary.size :]) == vocabulary.escapes
        assert len(vocabulary.table) == vocabulary.size + 256
        for number in vocabulary.specials.values():
            assert vocabulary.pieces[number] == b""

    def test_cutting_a_long_text_changes_nothing(self, vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch) -> None:
        data = MIXED.encode() * 30
        whole = vocabulary.encode(data).tolist()
        monkeypatch.setattr(v, "CHUNK", 100)
        assert vocabulary.encode(data).tolist() == whole

    def test_no_id(self, vocabulary: Vocabulary) -> None:
        for number in (-1, len(vocabulary.table), 1 << 31):
            with pytest.raises(CorruptError):
                vocabulary.decode([number])
        assert vocabulary.decode([]) == b""

    def test_rules_that_lose_bytes(self, vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(vocabulary, "_words", {"the": (0,)})
        monkeypatch.setattr(vocabulary, "_encode_word", lambda word: ())
        assert vocabulary.decode(vocabulary.encode(b"the end\x04")) == b"the end\x04"


class TestByteLevel:
    def test_tokens(self) -> None:
        vocabulary = byte_level()
        assert vocabulary.escapes == WITHOUT_TOKEN
        assert vocabulary.specials == {"<|endoftext|>": 0, "<|im_start|>": 1}
        assert [vocabulary.table[n] for n in vocabulary.encode(b"the other, in and\x04").tolist()] == [
            b"t", b"he", b" ", b"o", b"t", b"he", b"r", b",", b" ", b"in", b" and", b"\x04",
        ]  # fmt: skip
        assert vocabulary.encode(b"\x04\xff").tolist() == [304, 555]

    def test_words_are_not_joined(self) -> None:
        vocabulary = byte_level()
        (four,) = vocabulary.encode(b"    ").tolist()
        assert vocabulary.table[four] == b"    "
        # A digit ends what is cut before, so all spaces stand together; a letter takes the last one.
        assert vocabulary.encode(b"    1").tolist()[0] == four
        assert four not in vocabulary.encode(b"    a").tolist()

    def test_digest(self) -> None:
        assert byte_level().digest() == byte_level().digest() == with_digest_of(byte_level())
        pieces = byte_level().pieces
        other = [*pieces]
        other[5], other[6] = other[6], other[5]
        assert Vocabulary(other, {}).digest() != byte_level().digest()
        assert Vocabulary([b"ab", b"c"], {}).digest() != Vocabulary([b"a", b"bc"], {}).digest()

    def test_two_tokens_with_the_same_bytes(self) -> None:
        with pytest.raises(CorruptError, match="same bytes"):
            Vocabulary([b"a", b"a"], {})

    def test_no_tokens_at_all(self) -> None:
        vocabulary = Vocabulary([], {})
        assert vocabulary.encode(b"ab").tolist() == [97, 98]  # all bytes are escapes
        assert vocabulary.start_id == 0

    def test_merge_without_a_token(self) -> None:
        vocabulary = Vocabulary([b"a", b"b"], {(b"a", b"b"): 0})
        assert vocabulary.encode(b"ab").tolist() == [0, 1]


def with_digest_of(vocabulary: Vocabulary) -> bytes:
    """A vocabulary that knows nothing but bytes decodes the same, and says so."""
    return Vocabulary(vocabulary.pieces, {}).digest()


class TestPieces:
    def test_tokens(self) -> None:
        vocabulary = from_gguf(spaced_metadata(), 400)
        assert vocabulary.escapes == b""
        assert [vocabulary.table[n] for n in vocabulary.encode("the other  \u00e9t\u4e2d\u6587".encode()).tolist()] == [
            b"t", b"he", b" ", b"ot", b"her", b"  ", "\u00e9t".encode(), "\u4e2d".encode(), b"\xe6", b"\x96", b"\x87",
        ]  # fmt: skip
        assert vocabulary.pieces[3 + ord("t")] == b""  # the byte token of what has a piece
        assert vocabulary.start_id == 1

    def test_literals(self) -> None:
        vocabulary = from_gguf(spaced_metadata(), 400)
        assert vocabulary.encode(b"<b>the<b>").tolist()[0::3] == [259, 259]

    def test_equals_the_definition(self) -> None:
        """As SentencePiece has it: neighbours whose join is a piece, best score first, over the whole text."""
        metadata = spaced_metadata()
        vocabulary = from_gguf(metadata, 400)
        scores = {
            token.decode().replace("\u2581", " "): float(metadata["tokenizer.ggml.scores"][number])
            for number, token in enumerate(metadata["tokenizer.ggml.tokens"])
            if metadata["tokenizer.ggml.token_type"][number] == 1
        }
        random = np.random.default_rng(4)
        for _ in range(200):
            text = "".join(random.choice([*"theoringa  \u00e9\u6587"], 30))
            symbols = [*text]
            while True:
                found = [(-scores[a + b], i) for i, (a, b) in enumerate(pairwise(symbols)) if a + b in scores]
                if not found:
                    break
                _, i = min(found)
                symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]
            expected = [symbol.encode() for symbol in symbols]
            got = [vocabulary.table[number] for number in vocabulary.encode(text.encode()).tolist()]
            single = {bytes([value]) for value in "\u6587g".encode()}  # these have no piece: their bytes stand apart
            flat: list[bytes] = []
            for symbol in expected:
                flat += [bytes([b]) for b in symbol] if symbol.decode() not in scores else [symbol]
            assert got == flat, (text, single)


class TestLiterals:
    def test_longest_first(self) -> None:
        vocabulary = with_literals()
        assert vocabulary.encode(b"<b>the<b>th").tolist()[:2] == [291, 290]
        assert vocabulary.pieces[292] == b""  # another token has these bytes
        assert vocabulary.pieces[293] == b""  # would take spaces away


class TestAsTokenizers:
    """The package `tokenizers` cuts ordinary text into the same tokens."""

    SPLITS: ClassVar = {
        "gpt-2": None,
        "smollm": "digits",
        "llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+",
        "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
        r"|\s+(?!\S)|\s+",
    }

    @staticmethod
    def texts() -> list[str]:
        folders = [ROOT / "docs" / "reference", ROOT / "nzip" / "codec"]
        files = [path for folder in folders for path in sorted(folder.glob("*.*")) if path.suffix in (".md", ".py")]
        return [MIXED * 3, *(path.read_text(encoding="utf-8") for path in files[:8])]

    @pytest.mark.parametrize("split", SPLITS)
    def test_byte_level(self, split: str) -> None:
        tokenizers = pytest.importorskip("tokenizers")
        pre = tokenizers.pre_tokenizers
        rule = self.SPLITS[split]
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(ignore_merges=split == "llama3"))
        if rule is None:
            tokenizer.pre_tokenizer = pre.ByteLevel(add_prefix_space=False)
        elif rule == "digits":
            tokenizer.pre_tokenizer = pre.Sequence(
                [pre.Digits(individual_digits=True), pre.ByteLevel(add_prefix_space=False)]
            )
        else:
            tokenizer.pre_tokenizer = pre.Sequence(
                [
                    pre.Split(tokenizers.Regex(rule), "isolated"),
                    pre.ByteLevel(add_prefix_space=False, use_regex=False),
                ]
            )
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=900,
            show_progress=False,
            special_tokens=["<|endoftext|>"],
            initial_alphabet=pre.ByteLevel.alphabet(),
        )
        texts = self.texts()
        tokenizer.train_from_iterator(texts, trainer)
        ours = from_tokenizer_json(tokenizer.to_str(), 1000)
        assert ours._split == split
        assert ours.specials == {"<|endoftext|>": 0}
        for text in texts:
            assert ours.encode(text.encode()).tolist() == tokenizer.encode(text, add_special_tokens=False).ids

    def test_pieces(self) -> None:
        tokenizers = pytest.importorskip("tokenizers")
        model = tokenizers.models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True)
        tokenizer = tokenizers.Tokenizer(model)
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(prepend_scheme="never", split=True)
        texts = self.texts()
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=900,
            show_progress=False,
            special_tokens=["<unk>", "<s>", "</s>", *(f"<0x{value:02X}>" for value in range(256))],
        )
        tokenizer.train_from_iterator(texts[1:], trainer)
        data = json.loads(tokenizer.to_str())
        # As the files of Llama 2 have it: byte tokens are no added tokens.
        data["added_tokens"] = [entry for entry in data["added_tokens"] if not entry["content"].startswith("<0x")]
        tokenizer = tokenizers.Tokenizer.from_str(json.dumps(data))
        ours = from_tokenizer_json(json.dumps(data), 1000)
        assert ours._split == "spaces"
        assert ours.escapes == b""
        for text in [*texts[1:], "\u4e2d\u6587 \U0001f600 \u0444"]:
            assert ours.encode(text.encode()).tolist() == tokenizer.encode(text, add_special_tokens=False).ids


def test_merges_of_the_fixture() -> None:
    vocabulary = byte_level()
    assert {a + b for a, b in MERGES} <= set(vocabulary.pieces)
