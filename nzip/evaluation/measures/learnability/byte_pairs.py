"""Byte-pair encoding, learned from a text: the tokens that language models are used to.

Sennrich, Haddow and Birch (2016), on bytes as GPT-2 (Radford et al., 2019): the text is cut into words, each with the
space before it; the pair of neighbours that is found most often becomes a token, over and over. Of pairs found equally
often the one that is first in order of bytes is taken. What a merge changes is counted anew for the words it is in.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Pair = tuple[bytes, bytes]

# A word has letters and bytes above ASCII, or digits, or other signs; spaces before its last one stand alone.
WORDS = re.compile(rb" ?[A-Za-z\x80-\xff]+| ?[0-9]+| ?[^\sA-Za-z0-9\x80-\xff]+|\s+(?!\S)|\s")


class BytePairs:
    """Tokens 0..255 are bytes, each further one a pair that was merged.

    Attributes:
        pieces: bytes of each token.
    """

    def __init__(self, merges: list[Pair]):
        self.pieces = [bytes([value]) for value in range(256)] + [a + b for a, b in merges]
        self._ranks = {pair: at for at, pair in enumerate(merges)}
        self._ids = {piece: at for at, piece in enumerate(self.pieces)}
        self._words: dict[bytes, list[int]] = {}

    @classmethod
    def trained(cls, text: bytes, vocabulary: int) -> BytePairs:
        """Learn from `text`; there are fewer tokens than `vocabulary` if no pair is found twice any more.

        Raises:
            ValueError: `vocabulary` is less than 256.
        """
        if vocabulary < 256:
            raise ValueError("a vocabulary has 256 tokens or more: one for each byte")
        counts = Counter(WORDS.findall(text))
        words = [[bytes([value]) for value in word] for word in counts]
        weights = list(counts.values())
        found: Counter[Pair] = Counter()
        places: defaultdict[Pair, set[int]] = defaultdict(set)
        for at, word in enumerate(words):
            for pair in pairwise(word):
                found[pair] += weights[at]
                places[pair].add(at)
        heap = [(-count, pair) for pair, count in found.items()]
        heapq.heapify(heap)
        merges: list[Pair] = []
        known = {bytes([value]) for value in range(256)}
        while heap and len(merges) < vocabulary - 256:
            count, pair = heapq.heappop(heap)
            if found[pair] != -count:  # an old entry; the right one is in the heap as well
                continue
            if count > -2:
                break
            if pair[0] + pair[1] in known:  # another pair gave the same bytes; two tokens never stand for the same
                found[pair] = 0
                continue
            merges.append(pair)
            known.add(pair[0] + pair[1])
            changed: Counter[Pair] = Counter()
            for at in places.pop(pair):
                word, weight = words[at], weights[at]
                for old in pairwise(word):
                    changed[old] -= weight
                words[at] = word = _merged(word, pair)
                for new in pairwise(word):
                    changed[new] += weight
                    places[new].add(at)
            for other, change in changed.items():
                if change:
                    found[other] += change
                    if found[other] > 0:
                        heapq.heappush(heap, (-found[other], other))
        return cls(merges)

    def encode(self, text: bytes) -> NDArray[np.int32]:
        """Return the tokens of `text`, int32 (n,)."""
        out: list[int] = []
        for word in WORDS.findall(text):
            ids = self._words.get(word)
            if ids is None:
                ids = self._words[word] = self._encode_word(word)
            out += ids
        return np.array(out, np.int32)

    def decode(self, ids: NDArray[np.int32]) -> bytes:
        """Return the text of tokens."""
        return b"".join(self.pieces[number] for number in ids.tolist())

    def _encode_word(self, word: bytes) -> list[int]:
        parts = [bytes([value]) for value in word]
        while len(parts) > 1:
            rank, pair = min((self._ranks.get(pair, len(self._ranks)), pair) for pair in pairwise(parts))
            if rank == len(self._ranks):
                break
            parts = _merged(parts, pair)
        return [self._ids[part] for part in parts]


def _merged(parts: list[bytes], pair: Pair) -> list[bytes]:
    """Return `parts` with each occurrence of `pair` joined, from the left."""
    out: list[bytes] = []
    at = 0
    while at < len(parts):
        if at + 1 < len(parts) and parts[at] == pair[0] and parts[at + 1] == pair[1]:
            out.append(pair[0] + pair[1])
            at += 2
        else:
            out.append(parts[at])
            at += 1
    return out
