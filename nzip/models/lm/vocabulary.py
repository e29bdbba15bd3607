"""What the tokens of a language model are in bytes, and how bytes become tokens.

Two kinds of vocabulary are read: byte-level BPE (Sennrich et al. 2016; the byte alphabet and the splitting into words
are those of GPT-2, Radford et al. 2019) and the BPE of SentencePiece with byte fallback (Kudo and Richardson 2018),
as GGUF files and Hugging Face's `tokenizer.json` hold them.

Invariants:

* `decode(encode(data)) == data` for every `data`: nothing is normalised, no space is put in front, bytes that are not
  UTF-8 pass through. A byte that no token stands for alone is an *escape*, an id behind those of the tokens.
* Two ids never stand for the same bytes. Tokens that are never produced (control tokens, second spellings) stand for
  none. So the table of bytes alone decodes, and a trie over it has one leaf for each id.
* How text is cut decides the ratio, never whether it comes back: a decoder needs the table only.

The splitting is written for Python's `re`, which knows no Unicode classes: those are made from `unicodedata`. Another
Python with another version of Unicode may cut a new script otherwise.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError, UnsupportedError

CHUNK = 1 << 18  # characters that are cut into words at a time
LONG_WORD = 96  # symbols from which on a heap finds the next merge
CACHED_WORD = 64  # characters of the longest word that is remembered
CACHED_WORDS = 1 << 18
MAX_PIECE = 1024  # bytes of a token; what scores mean is found in the square of it
MAX_PIECES = 1 << 25  # of all tokens
MAX_LITERALS = 1 << 14

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)  # types of tokens in GGUF
SPACE = "\u2581"  # SentencePiece's mark for a space
_NEVER = 1 << 60

Pair = tuple[bytes, bytes]


class Vocabulary:
    """Tokens and their bytes.

    Args:
        pieces: the bytes of each token; empty for one that is never produced.
        ranks: which two neighbours are merged, and when: the lowest rank first, of equal ones the leftmost.
        split: the name of a splitting into words (see `SPLITS`); merges never cross its cuts.
        literals: tokens that are found in the data before anything else, whatever stands around them.
        whole_words: a word that is a token is not merged from its parts.
        characters: merges begin from characters in place of bytes.
        specials: the ids of control tokens by name.
        bos_id, eos_id: the tokens that the model's files name for begin and end.

    Attributes:
        size: number of tokens; the 256 ids behind them are for escapes.
        pieces: bytes of each token, `size` entries, no two equal unless empty.
        escapes: the bytes that no token stands for alone, ascending; `value` has the id `size + value`.
        table: `pieces`, then 256 entries of which those of escapes are not empty: what `decode` looks ids up in.
        specials, bos_id, eos_id: as above.

    Raises:
        CorruptError: two tokens have the same bytes, or they are far too long.
    """

    def __init__(
        self,
        pieces: Sequence[bytes],
        ranks: Mapping[Pair, int],
        *,
        split: str = "gpt-2",
        literals: Sequence[int] = (),
        whole_words: bool = False,
        characters: bool = False,
        specials: Mapping[str, int] | None = None,
        bos_id: int | None = None,
        eos_id: int | None = None,
    ):
        self.pieces = list(pieces)
        if max(map(len, self.pieces), default=0) > MAX_PIECE or sum(map(len, self.pieces)) > MAX_PIECES:
            raise CorruptError(f"a token of the vocabulary has more than {MAX_PIECE:,} bytes, or all have too many")
        self.size = len(self.pieces)
        self._ids = {piece: number for number, piece in enumerate(self.pieces) if piece}
        if len(self._ids) != sum(map(bool, self.pieces)):
            raise CorruptError("two tokens of the vocabulary stand for the same bytes")
        self.escapes = bytes(value for value in range(256) if bytes([value]) not in self._ids)
        self.table = self.pieces + [bytes([value]) if value in self.escapes else b"" for value in range(256)]
        self._single = [self._ids.get(bytes([value]), self.size + value) for value in range(256)]
        self.specials = dict(specials or {})
        self.bos_id = bos_id
        self.eos_id = eos_id
        self._ranks = ranks
        self._split = split
        self._whole_words = whole_words
        self._characters = characters
        if len(literals) > MAX_LITERALS:
            raise CorruptError(f"{len(literals):,} tokens of the vocabulary are to be found before anything else")
        found = sorted((self.pieces[number] for number in literals if self.pieces[number]), key=len, reverse=True)
        self._literals = re.compile(b"(" + b"|".join(map(re.escape, found)) + b")") if found else None
        self._words: dict[str, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return self.size

    @property
    def start_id(self) -> int:
        """The token before the first of a text: where the model's training put the border of documents."""
        for name in ("<|endoftext|>", "<|begin_of_text|>", "<s>"):
            if name in self.specials:
                return self.specials[name]
        return next((number for number in (self.bos_id, self.eos_id) if number is not None), 0)

    def digest(self) -> bytes:
        """Return the SHA-256 of all that decoding needs: the number of tokens and the bytes of each."""
        digest = hashlib.sha256(b"nzip vocabulary 1")
        digest.update(self.size.to_bytes(4, "little"))
        digest.update(np.array([len(piece) for piece in self.pieces], dtype="<u4").tobytes())
        digest.update(b"".join(self.pieces))
        return digest.digest()

    def decode(self, ids: NDArray[np.int32] | Sequence[int]) -> bytes:
        """Return the bytes that `ids` stand for.

        Args:
            ids: (n,) tokens and escapes.

        Raises:
            CorruptError: an id is neither.
        """
        array = np.asarray(ids, dtype=np.int64)
        if array.size and not 0 <= int(array.min()) <= int(array.max()) < len(self.table):
            raise CorruptError("a token that the vocabulary does not have")
        table = self.table
        return b"".join([table[number] for number in array.tolist()])

    def encode(self, data: bytes) -> NDArray[np.int32]:
        """Return tokens and escapes whose bytes are `data`.

        Returns:
            (n,) int32; ids from `size` on are escapes.
        """
        ids: list[int] = []
        parts = [data] if self._literals is None else self._literals.split(data)
        for number, part in enumerate(parts):
            if number % 2:
                ids.append(self._ids[part])
            elif part:
                # Bytes that are not UTF-8 become lone surrogates, which no text holds, and turn back to themselves.
                self._encode_text(part.decode("utf-8", "surrogateescape"), ids)
        if self.decode(ids) != data:  # no rule of a vocabulary's file may cost a byte
            ids = [self._single[value] for value in data]
        return np.array(ids, dtype=np.int32)

    def _encode_text(self, text: str, ids: list[int]) -> None:
        known, extend = self._words, ids.extend
        for chunk in _chunks(text):
            for word in _pattern(self._split, _planes(chunk)).findall(chunk):
                found = known.get(word)
                if found is None:
                    found = self._encode_word(word)
                    if len(word) <= CACHED_WORD:
                        if len(known) >= CACHED_WORDS:
                            known.clear()
                        known[word] = found
                extend(found)

    def _encode_word(self, word: str) -> tuple[int, ...]:
        whole = word.encode("utf-8", "surrogateescape")
        if self._whole_words and whole in self._ids:
            return (self._ids[whole],)
        if self._characters:
            symbols = [character.encode("utf-8", "surrogateescape") for character in word]
        else:
            symbols = [whole[i : i + 1] for i in range(len(whole))]
        merge = merge_short if len(symbols) < LONG_WORD else merge_long
        ids: list[int] = []
        for symbol in merge(symbols, self._ranks):
            number = self._ids.get(symbol)
            if number is not None:
                ids.append(number)
            else:  # a character or byte without a token
                ids += [self._single[value] for value in symbol]
        return tuple(ids)


# Merging.


def merge_short(symbols: list[bytes], ranks: Mapping[Pair, int]) -> list[bytes]:
    """Merge neighbours, the lowest rank first, until none has a rank; a search through the list finds the next.

    Args:
        symbols: changed in place.
        ranks: of pairs.
    """
    get = ranks.get
    order = [get(pair, _NEVER) for pair in itertools.pairwise(symbols)]
    while order:
        lowest = min(order)
        if lowest == _NEVER:
            break
        i = order.index(lowest)
        symbols[i] += symbols[i + 1]
        del symbols[i + 1], order[i]
        if i:
            order[i - 1] = get((symbols[i - 1], symbols[i]), _NEVER)
        if i < len(order):
            order[i] = get((symbols[i], symbols[i + 1]), _NEVER)
    return symbols


def merge_long(symbols: list[bytes], ranks: Mapping[Pair, int]) -> list[bytes]:
    """As `merge_short`, in time n log n: a linked list of symbols and a heap of pairs."""
    size = len(symbols)
    after = [*range(1, size), -1]
    before = [*range(-1, size - 1)]
    get = ranks.get
    heap = []
    for i in range(size - 1):
        rank = get((symbols[i], symbols[i + 1]))
        if rank is not None:
            heap.append((rank, i, symbols[i + 1]))
    heapq.heapify(heap)
    while heap:
        rank, i, right = heapq.heappop(heap)
        j = after[i]
        # An entry that was overtaken: its left or right symbol has been merged since.
        if j < 0 or not symbols[i] or symbols[j] != right or get((symbols[i], right)) != rank:
            continue
        symbols[i] += right
        symbols[j] = b""
        k = after[i] = after[j]
        if k >= 0:
            before[k] = i
            new = get((symbols[i], symbols[k]))
            if new is not None:
                heapq.heappush(heap, (new, i, symbols[k]))
        h = before[i]
        if h >= 0:
            new = get((symbols[h], symbols[i]))
            if new is not None:
                heapq.heappush(heap, (new, h, symbols[i]))
    return [symbol for symbol in symbols if symbol]


# Splitting into words. {L} letters, {N} numbers, {S} spaces stand inside of a class.

_CONTRACTIONS = "'s|'t|'re|'ve|'m|'ll|'d"
_ANY_CASE = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]"
_LATER = r"|[^\r\n{L}{N}]?[{L}]+|%s| ?[^{S}{L}{N}]+[\r\n]*|[{S}]*[\r\n]+|[{S}]+(?![^{S}])|[{S}]+"
SPLITS = {
    "gpt-2": _CONTRACTIONS + r"| ?[{L}]+| ?[{N}]+| ?[^{S}{L}{N}]+|[{S}]+(?![^{S}])|[{S}]+",
    # Digits are cut apart first, so that a space before one stands at the end of what is cut next.
    "smollm": _CONTRACTIONS + r"| ?[{L}]+|[{N}]| ?[^{S}{L}{N}]+|[{S}]+(?![^{S}{N}])|[{S}]+",
    "llama3": _ANY_CASE + _LATER % "[{N}]{1,3}",
    "qwen2": _ANY_CASE + _LATER % "[{N}]",
    # SentencePiece cuts nothing; where no piece has a space behind another character, these cuts change no token.
    "spaces": r"[ ]*[^ ]+|[ ]+",
    "none": r"(?s:.+)",
}
_GGUF_SPLITS = {
    "gpt-2": "gpt-2",
    "smollm": "smollm",
    "starcoder": "smollm",
    "refact": "smollm",
    "command-r": "smollm",
    "codeshell": "smollm",
    "llama-bpe": "llama3",
    "llama3": "llama3",
    "llama-v3": "llama3",
    "smaug-bpe": "llama3",
    "dbrx": "llama3",
    "qwen2": "qwen2",
    "deepseek-r1-qwen": "qwen2",
}
_SPACES = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


@cache
def _classes(planes: int) -> dict[str, str]:
    """Return letters, numbers and spaces as ranges for a class of `re`.

    Args:
        planes: 0 for ASCII alone, 1 for the basic plane, 2 for all. `re` looks the first up in a table; beyond the
            basic plane it goes through the ranges one by one, for every character.
    """
    last = (0x7F, 0xFFFF, 0x10FFFF)[planes]
    ranges: dict[str, list[list[int]]] = {"L": [], "N": []}
    for code in range(last + 1):
        kind = unicodedata.category(chr(code))[0]
        if kind in ranges:
            if ranges[kind] and ranges[kind][-1][1] == code - 1:
                ranges[kind][-1][1] = code
            else:
                ranges[kind].append([code, code])
    classes = {kind: "".join(f"{chr(a)}-{chr(b)}" for a, b in found) for kind, found in ranges.items()}
    classes["S"] = _SPACES
    return classes


@cache
def _pattern(split: str, planes: int) -> re.Pattern[str]:
    text = SPLITS[split]
    for kind, ranges in _classes(planes).items():
        text = text.replace("{" + kind + "}", ranges)
    return re.compile(text)


def _planes(text: str) -> int:
    if text.isascii():
        return 0
    return 1 if max(text) <= "\uffff" else 2


_CUT = re.compile(r"(?<=[a-z]) (?=[a-z])")


def _chunks(text: str) -> Iterator[str]:
    """Cut a long text where every splitting cuts: between two words with a space between them.

    `none` alone does not cut there, and may lose a merge.
    """
    start = 0
    while len(text) - start > CHUNK:
        cut = _CUT.search(text, start + CHUNK)
        if cut is None:
            break
        yield text[start : cut.start()]
        start = cut.start()
    yield text[start:] if start else text


# Reading.


@cache
def _byte_alphabet() -> dict[int, int]:
    """Return the byte for each character of GPT-2's alphabet.

    Printable characters of Latin-1 stand for themselves, the other bytes for characters from U+0100 on, in order.
    """
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [value for value in range(256) if value not in plain]
    return {value: value for value in plain} | {0x100 + number: value for number, value in enumerate(others)}


def _byte_level(token: str) -> bytes | None:
    """Return the bytes of a token in GPT-2's alphabet, or None where it has other characters."""
    alphabet = _byte_alphabet()
    try:
        return bytes([alphabet[ord(character)] for character in token])
    except KeyError:
        return None


def _sentence_piece(token: str) -> bytes:
    return token.replace(SPACE, " ").encode("utf-8", "surrogateescape")


def _byte_token(token: str) -> bytes | None:
    found = re.fullmatch(r"<0x([0-9A-Fa-f]{2})>", token)
    return bytes([int(found[1], 16)]) if found else None


def _fill(size: int, pieces: list[bytes], later: Sequence[tuple[int, bytes]]) -> list[bytes]:
    """Give tokens bytes: those of `pieces`, then `later` (byte tokens, literals) where no other has the same.

    The first of equal pieces keeps them, so that none is ambiguous.
    """
    result = [b""] * size
    seen: set[bytes] = set()
    for number, piece in [*enumerate(pieces), *later]:
        if piece and piece not in seen and not result[number]:
            seen.add(piece)
            result[number] = piece
    return result


def _pairs_of_scores(scores: Mapping[bytes, float], parts: set[bytes]) -> dict[Pair, int]:
    """Return the ranks of pairs that SentencePiece's scores mean: the best score of the merged piece first."""
    if max(map(len, scores), default=0) > MAX_PIECE or sum(map(len, scores)) > MAX_PIECES:
        raise CorruptError(f"a token of the vocabulary has more than {MAX_PIECE:,} bytes, or all have too many")
    steps = {score: rank for rank, score in enumerate(sorted(set(scores.values()), reverse=True))}
    ranks = {}
    for piece, score in scores.items():
        for cut in range(1, len(piece)):
            left, right = piece[:cut], piece[cut:]
            if left in parts and right in parts:
                ranks[left, right] = steps[score]
    return ranks


def _split_of_spaces(pieces: Sequence[bytes]) -> str:
    return "none" if any(b" " in piece.lstrip(b" ") for piece in pieces) else "spaces"


def _with_characters(pieces: Sequence[bytes]) -> set[bytes]:
    """Return the pieces and the characters in them: what a merge can begin from."""
    parts = set(pieces)
    for piece in pieces:
        text = piece.decode("utf-8", "surrogateescape")
        parts.update(character.encode("utf-8", "surrogateescape") for character in text)
    return parts


def _optional_id(value: Any, size: int) -> int | None:
    return value if type(value) is int and 0 <= value < size else None


def from_gguf(metadata: Mapping[str, Any], size: int) -> Vocabulary:
    """Return the vocabulary that the metadata of a GGUF file describes.

    Args:
        metadata: values by key; lists of strings as lists of bytes, numbers as numpy arrays.
        size: tokens that the model knows, at least as many as the file names.

    Raises:
        CorruptError: something is missing or does not fit.
        UnsupportedError: the tokenizer is of another kind.
    """
    return _usable(_from_gguf(metadata, size))


def _usable(vocabulary: Vocabulary) -> Vocabulary:
    """Return a vocabulary with which something can be coded.

    Raises:
        UnsupportedError: no token of it stands for bytes.
    """
    if not any(vocabulary.pieces):
        raise UnsupportedError("not one of its tokens stands for bytes, so nothing can be coded; take another model")
    return vocabulary


def _from_gguf(metadata: Mapping[str, Any], size: int) -> Vocabulary:
    kind = metadata.get("tokenizer.ggml.model")
    if not isinstance(kind, str) or kind not in ("gpt2", "llama"):
        raise UnsupportedError(
            f"its tokenizer is of the kind {kind!r}; nzip reads 'gpt2' (byte-level BPE) and 'llama' (SentencePiece BPE)"
        )
    raw = metadata.get("tokenizer.ggml.tokens")
    if not isinstance(raw, list) or not raw or not isinstance(raw[0], bytes):
        raise CorruptError("it has no list of tokens")
    tokens = [token.decode("utf-8", "surrogateescape") for token in raw]
    if len(tokens) > size:
        raise CorruptError(f"it names {len(tokens):,} tokens, and the model has {size:,}")
    types = _column(metadata, "tokenizer.ggml.token_type", len(tokens), required=False)
    kinds = [NORMAL] * len(tokens) if types is None else [int(value) for value in types]
    specials = {token: number for number, token in enumerate(tokens) if kinds[number] == CONTROL}
    options: dict[str, Any] = {
        "specials": specials,
        "bos_id": _optional_id(metadata.get("tokenizer.ggml.bos_token_id"), size),
        "eos_id": _optional_id(metadata.get("tokenizer.ggml.eos_token_id"), size),
    }
    literal = [(number, raw[number]) for number in range(len(tokens)) if kinds[number] == USER_DEFINED]
    if kind == "gpt2":
        merges = metadata.get("tokenizer.ggml.merges")
        if not isinstance(merges, list) or (merges and not isinstance(merges[0], bytes)):
            raise CorruptError("it has no list of merges")
        normal = [
            (_byte_level(token) or b"") if kinds[number] in (NORMAL, BYTE) else b""
            for number, token in enumerate(tokens)
        ]
        split = _GGUF_SPLITS.get(str(metadata.get("tokenizer.ggml.pre")), "gpt-2")
        return Vocabulary(
            _fill(size, normal, literal),
            _byte_level_merges([merge.decode("utf-8", "surrogateescape") for merge in merges]),
            split=split,
            literals=[number for number, _ in literal],
            whole_words=split == "llama3",
            **options,
        )
    scores = _column(metadata, "tokenizer.ggml.scores", len(tokens), required=True)
    assert scores is not None
    normal, byte_tokens = [], []
    by_piece: dict[bytes, float] = {}
    for number, token in enumerate(tokens):
        value = _byte_token(token) if kinds[number] in (NORMAL, BYTE) else None
        if value is not None:
            byte_tokens.append((number, value))
            normal.append(b"")
        elif kinds[number] == NORMAL:
            piece = _sentence_piece(token)
            normal.append(piece)
            by_piece.setdefault(piece, float(scores[number]))
        else:
            normal.append(b"")
    literal = [(number, _sentence_piece(tokens[number])) for number, _ in literal]
    return Vocabulary(
        _fill(size, normal, literal + byte_tokens),
        _pairs_of_scores(by_piece, _with_characters([*by_piece])),
        split=_split_of_spaces([*by_piece]),
        literals=[number for number, _ in literal],
        characters=True,
        **options,
    )


def _column(metadata: Mapping[str, Any], key: str, size: int, *, required: bool) -> NDArray[Any] | None:
    values = metadata.get(key)
    if values is None and not required:
        return None
    if not isinstance(values, np.ndarray) or values.shape != (size,) or values.dtype.kind not in "iuf":
        raise CorruptError(f"{key} is missing, or not a number for each token")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise CorruptError(f"{key} has values that are not finite")
    return values


def _byte_level_merges(merges: Sequence[str]) -> dict[Pair, int]:
    ranks: dict[Pair, int] = {}
    for rank, merge in enumerate(merges):
        left, space, right = merge.partition(" ")
        a, b = _byte_level(left), _byte_level(right)
        if not space or not a or not b:
            raise CorruptError(f"merge {rank} is not two tokens")
        ranks.setdefault((a, b), rank)
    return ranks


def from_tokenizer_json(text: str | bytes, size: int) -> Vocabulary:
    """Return the vocabulary that a `tokenizer.json` describes.

    Normalisation and templates are left out: they would change bytes.

    Args:
        text: the file.
        size: tokens that the model knows; ids behind it are left out.

    Raises:
        CorruptError: the file is damaged.
        UnsupportedError: the tokenizer is of another kind.
    """
    try:
        return _usable(_from_tokenizer(json.loads(text), size))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise CorruptError(f"it is damaged ({type(error).__name__}: {str(error)[:80]})") from None


def _from_tokenizer(data: Any, size: int) -> Vocabulary:
    """As `from_tokenizer_json`; what is not where it should be raises what Python raises then."""
    model = data["model"]
    if model.get("type") not in ("BPE", None) or "merges" not in model:
        raise UnsupportedError(
            f"its tokenizer is of the kind {model.get('type')!r}; nzip reads BPE, byte-level or SentencePiece's"
        )
    vocab: dict[str, int] = model["vocab"]
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in model["merges"]]
    added = [(entry["content"], entry["id"], entry) for entry in data.get("added_tokens") or []]
    if not all(isinstance(token, str) and isinstance(number, int) for token, number in vocab.items()):
        raise CorruptError("its vocabulary is not names and numbers")
    if not all(isinstance(token, str) and isinstance(number, int) for token, number, _ in added):
        raise CorruptError("its added tokens are not names and numbers")
    if not all(len(merge) == 2 and all(isinstance(part, str) for part in merge) for merge in merges):
        raise CorruptError("its merges are not pairs of tokens")
    steps = [*_steps(data.get("pre_tokenizer"), "pretokenizers"), *_steps(data.get("decoder"), "decoders")]
    spaced = [*steps, *_steps(data.get("normalizer"), "normalizers")]
    if any(step.get("type") == "ByteLevel" for step in steps):
        spelling = _byte_level
    elif any(step.get("type") == "Metaspace" or SPACE in str(step.get("content")) for step in spaced):
        spelling = _sentence_piece
    else:
        raise UnsupportedError("its tokens are neither byte-level nor SentencePiece's; take another model")

    characters = spelling is _sentence_piece
    apart = {number for _, number, _ in added}
    normal, byte_tokens = [b""] * size, []
    for token, number in vocab.items():
        if not 0 <= number < size or number in apart:
            continue
        value = _byte_token(token) if characters else None
        if value is not None:
            byte_tokens.append((number, value))
        else:
            normal[number] = spelling(token) or b""
    literal = [
        (number, token.encode("utf-8", "surrogatepass"))
        for token, number, entry in added
        if 0 <= number < size
        and not entry.get("special")
        and not any(entry.get(flag) for flag in ("lstrip", "rstrip", "single_word"))
    ]
    ranks: dict[Pair, int] = {}
    for rank, (left, right) in enumerate(merges):
        a, b = spelling(left), spelling(right)
        if not a or not b:
            raise CorruptError(f"merge {rank} is not two tokens")
        ranks.setdefault((a, b), rank)
    return Vocabulary(
        _fill(size, normal, literal + byte_tokens),
        ranks,
        split=_split_of_spaces(normal) if characters else _split_of(_steps(data.get("pre_tokenizer"), "pretokenizers")),
        literals=[number for number, _ in literal],
        whole_words=bool(model.get("ignore_merges")),
        characters=characters,
        specials={token: number for token, number, entry in added if entry.get("special") and 0 <= number < size},
    )


def _steps(part: Any, inner: str) -> list[dict[str, Any]]:
    """Return a step of a tokenizer, or those of a sequence of them."""
    if part is None:
        return []
    found = part[inner] if part.get("type") == "Sequence" else [part]
    return [step for step in found if isinstance(step, dict)]


def _split_of(steps: Sequence[Mapping[str, Any]]) -> str:
    """Return the splitting that the steps mean; GPT-2's where they are not known, which costs ratio only."""
    for step in steps:
        if step.get("type") == "Digits" and step.get("individual_digits"):
            return "smollm"
        pattern = step.get("pattern")
        regex = pattern.get("Regex") if isinstance(pattern, dict) else None
        if isinstance(regex, str) and r"\p{N}{1,3}" in regex:
            return "llama3"
        if isinstance(regex, str) and r"[^\r\n\p{L}\p{N}]?\p{L}+" in regex:
            return "qwen2"
    return "gpt-2"
