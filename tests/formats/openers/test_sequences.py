"""Openers of sequences: what they open, plain Python, inner bytes of any kind, what finders find."""

import random
import tracemalloc
from dataclasses import replace

import naive_sequences
import pytest
from formats.openers.made_sequences import VCF_HEADER, dna, fasta, placed, reads, variants
from hypothesis import given
from hypothesis import strategies as st
from naive_openers import Corrupt

from nzip.errors import CorruptError
from nzip.formats.container.wire import uleb
from nzip.formats.content.containers import genomes
from nzip.formats.content.tree import Leaf, grow, leaves
from nzip.formats.openers.base import Opened, Opener
from nzip.registry import OPENERS
from nzip.settings import Room

MOST = 1 << 22


def opener(name: str) -> Opener:
    found: Opener = OPENERS.by_name(name)
    return found


PLAIN = dna(3000, 1)
MASKED = PLAIN[:900] + PLAIN[900:1300].lower() + "N" * 300 + PLAIN[1300:] + "n" * 9
ORIGIN = "".join(
    f"{at + 1:>9} " + " ".join(PLAIN[at + k : at + k + 10].lower() for k in range(0, 60, 10)) + "\n"
    for at in range(0, 1500, 60)
).encode()
EXAMPLES = {
    "sequences": {
        "fasta": fasta(PLAIN),
        "crlf": fasta(PLAIN, 60, "\r\n"),
        "masked": fasta(MASKED, 61),
        "no lines": PLAIN.encode(),
        "no end": fasta(PLAIN)[:-1],
        "several": b"".join(fasta(dna(200 + k, k), 50, name=f">read {k}") for k in range(20)),
        "ragged": b"".join(dna(20 + k % 7, k).encode() + b"\n" for k in range(60)),
        "other letters": fasta(PLAIN[:700] + "RYK" + PLAIN[700:] + "*"),
        "genbank": ORIGIN,
        "table": b"".join(f"{dna(90, k)}\t{k % 5}\n".encode() for k in range(40)),
        "trailing": fasta(PLAIN) + b"\0\1\2\n\n\n",
    },
    "fastq": {
        "plain": reads(),
        "crlf": reads(end="\r\n"),
        "names again": reads(named=True),
        "no end": reads()[:-1],
        "no end of two": reads(end="\r\n")[:-2],
        "no ns": reads(ns=""),
        "ns anywhere": reads(ns="").replace(b"ACG", b"ANG"),
        "one": reads(1),
    },
    "sam": {"plain": placed(), "few": placed(2)},
    "vcf": {
        "plain": variants(),
        "blocks": variants(40, 2, blocks=True),
        "blocks and cells": variants(40, 5, blocks=True),
        "sites": variants(50, 0),
        "genotypes": variants(20, 9, of="GT"),
        "no header": variants(60, 3, blocks=True, header=""),
        "crlf": variants().replace(b"\n", b"\r\n"),
        "one": variants(1),
    },
}
ALL = [(name, about) for name, examples in EXAMPLES.items() for about in examples]


def opened(name: str, coded: bytes) -> Opened:
    found = opener(name).open(coded, MOST)
    assert found is not None
    assert not found.recipe
    assert opener(name).close(found.inner, b"", len(coded)) == coded
    assert getattr(naive_sequences, name)(found.inner, len(coded)) == coded
    assert opener(name).open(coded, len(found.inner)) == found
    assert opener(name).open(coded, len(found.inner) - 1) is None
    return found


def alike(name: str, inner: bytes, size: int) -> None:
    """Check that an opener makes of any bytes what plain Python makes, or that both make nothing."""
    try:
        expected = getattr(naive_sequences, name)(inner, size)
    except Corrupt:
        expected = b""
    try:
        made = opener(name).close(inner, b"", size)
        assert len(made) == size
    except CorruptError:
        made = b""
    assert made == (expected if len(expected) == size else b"")


@pytest.mark.parametrize(("name", "about"), ALL)
def test_examples(name: str, about: str) -> None:
    coded = EXAMPLES[name][about]
    found = opened(name, coded)
    if about not in ("one", "few"):
        assert len(found.inner) < len(coded) * (1 if name == "vcf" else 0.8)
    with pytest.raises(CorruptError):
        opener(name).close(found.inner, b"\0", len(coded))


@pytest.mark.parametrize(("name", "about"), ALL)
def test_damage(name: str, about: str) -> None:
    coded, dice = EXAMPLES[name][about], random.Random(about)
    inner = opened(name, coded).inner
    for cut in (*range(min(40, len(inner))), len(inner) - 1):
        alike(name, inner[:cut], len(coded))
    for _ in range(60):
        changed = bytearray(inner)
        for _ in range(dice.randint(1, 3)):
            near, at = min(int(dice.expovariate(0.01)), len(changed) - 1), dice.randrange(len(changed))
            at = near if dice.random() < 0.7 else at
            changed[at] = dice.choice((0, 1, 2, 9, 10, 45, 127, 128, 255, changed[at] ^ 1 << dice.randrange(8)))
        alike(name, bytes(changed), max(1, len(coded) + dice.choice((0, 0, 0, -1, 1))))


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_closing_keeps_to_the_memory_that_is_stated(name: str) -> None:
    large = {"sequences": fasta(PLAIN) * 60, "fastq": reads(3000, 30), "sam": placed(400) * 8, "vcf": variants(4000)}
    coded = large[name]
    found, of = opened(name, coded), opener(name)
    tracemalloc.start()
    of.close(found.inner, b"", len(coded))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most <= of.memory(len(found.inner), len(coded)) + len(coded)


HUGE = uleb((1 << 63) - 1)


@pytest.mark.parametrize("name", list(EXAMPLES))
@pytest.mark.parametrize(
    "inner",
    [
        b"",
        HUGE + HUGE,
        uleb(0) + uleb(len(HUGE)) + HUGE,
        uleb(0) + uleb(1 + 3 * len(HUGE)) + b"\1" + HUGE * 3,
        uleb(1) + uleb(3 + len(HUGE)) + b"\n\1\1\0" + HUGE,
        uleb(1) + uleb(4 + len(HUGE)) + b"a\1\1\x08" + HUGE + b"\0",
        uleb(0) + uleb(3) + b"\0\0\0" + HUGE,
        uleb(2) + uleb(4) + b"\n\n\1\0\0\0" + uleb(1) + b"\n",
        b"\0" + HUGE + b"a\t1\t.\tA\tC\t.\t.\t.\tGT\n\n0/1\n",
        b"\1\0a\t1\t.\t%d\tC\t.\t.\t.\n\n" % 10**17,
        b"\4\0a\t-1\t.\tA\tC\t.\t.\t.\n\n",
        b"\4\0a\t9\t.\tA\tC\t.\t.\tEND=%d\n\t%d\t.\tA\tC\t.\t.\t.\n\n" % (10**17, 10**18),
    ],
)
def test_hostile_numbers(name: str, inner: bytes) -> None:
    for size in (1, 40, 1 << 20):
        alike(name, inner, size)


@given(st.sampled_from(list(EXAMPLES)), st.binary(max_size=80), st.integers(1, 200))
def test_any_bytes(name: str, inner: bytes, size: int) -> None:
    alike(name, inner, size)


@given(st.text("ACGTNacgtn\n\r>R 1", max_size=90), st.integers(20, 90))
def test_any_text(noise: str, line: int) -> None:
    coded = (fasta(PLAIN[:400], line) + noise.encode()) * 2
    found = opened("sequences", coded)
    alike("sequences", found.inner, len(coded) + 1)


def test_what_is_no_record_stays() -> None:
    assert opener("fastq").open(reads().replace(b"A", b"a"), MOST) is None
    assert opener("fastq").open(reads() + b"@a\n", MOST) is None
    assert opener("sam").open(placed() + b"a\tb\n", MOST) is None
    assert opener("sam").open(placed().replace(b"\t=\t", b"\t=\t0"), MOST) is None
    assert opener("vcf").open(variants() + b"chr9\t1\n", MOST) is None
    assert opener("vcf").open(variants()[:-1], MOST) is None
    assert opener("vcf").open(VCF_HEADER.encode() + b"\n", MOST) is None
    assert opener("sequences").open(b"some words, and no sequence" * 30, MOST) is None


def held(data: bytes) -> list[str]:
    return [leaf.segment.kind for leaf in leaves(grow(data, Room(MOST, MOST))) if leaf.segment is not None]


def test_what_is_found() -> None:
    words = b"Some words of a paper, with ACGT and TTAGGG in them.\n" * 60
    assert held(words) == []
    assert held(words + fasta(PLAIN) + words) == ["nucleotides"]
    assert held(fasta(PLAIN) + words + fasta(MASKED[::-1])) == ["nucleotides", "nucleotides"]
    assert held(words + reads() + words) == ["sequenced"]
    assert held(reads()[25:]) == ["sequenced"]
    assert held(b"@HD\tVN:1.6\n@SQ\tSN:chr1\tLN:2000\n" + placed()) == ["sequenced", "nucleotides"]
    assert held(placed()[15:]) == ["sequenced", "nucleotides"]
    assert held(variants()) == held(variants() + b"and more\n") == ["json", "csv", "csv"]
    assert held(variants(40, 2, blocks=True)) == ["json", "csv", "nucleotides"]
    assert held(variants(90, 0, blocks=True, header="")[9:]) == ["json", "csv", "nucleotides"]
    assert held(b"##fileformat=VCFv4.2\n" * 90) == []
    assert held(reads() + fasta(PLAIN)) == ["sequenced", "nucleotides"]
    assert held(b"A" * 5000) == []
    assert held(bytes(5000)) == []


def test_many_beginnings_end_soon() -> None:
    assert genomes.find(b"\n+" * 200_000) == []
    assert genomes.find(b"@a\n" * 100_000) == []
    assert genomes.find(b"@SQ\t\n" * 100_000) == []
    assert genomes.find(b"##fileformat=VCF\n" * 100_000) == []
    assert genomes.find(b"a\t1\t" * 100_000) == []


def test_leaves_say_what_they_hold() -> None:
    tree = grow(fasta(PLAIN), Room(MOST, MOST))
    leaf = next(leaf for leaf in leaves(tree) if leaf.segment is not None)
    assert isinstance(leaf, Leaf)
    assert leaf.segment == replace(leaf.segment, kind="nucleotides", length=len(leaf.data), confidence=100)
    assert len(leaf.data) == len(PLAIN) // 4
