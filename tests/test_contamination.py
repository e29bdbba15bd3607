"""Nothing that nzip learned from is, or imitates, what it is measured on (`corpora/overlap.py`).

The benchmarks themselves are not at hand here: their sketch is. What stands below as an imitation or a copy is what the
test must find.
"""

import hashlib
import importlib.util
import random
import re
import sys
from functools import lru_cache
from pathlib import Path

import pytest

from nzip.models import primers
from nzip.models.cm.engine import short_primer
from nzip.models.static import shipped

CORPORA = Path(__file__).parents[1] / "corpora"
WEIGHTS = Path(primers.__file__).parent / "weights"

# The most that a text may share with the benchmarks, by measure. Unrelated texts of one language share some per cent of
# their words and bytes. Shapes are shared by nobody but imitators and users of the same program.
MOST = {"5 words": 0.06, "32 bytes": 0.06, "shapes": 0.02}
# Drawings of one program: Inkscape writes the same licence block into each, and the benchmarks have a few of them.
MOST_OF = {"primer xml": {"5 words": 0.15, "32 bytes": 0.08}}

BIBLE = """In the beginning God created the heaven and the earth. And the earth was without form, and void; and darkness
was upon the face of the deep. And the Spirit of God moved upon the face of the waters. And God said, Let there be
light: and there was light. And God saw the light, that it was good: and God divided the light from the darkness. And
God called the light Day, and the darkness he called Night. And the evening and the morning were the first day. And God
said, Let there be a firmament in the midst of the waters, and let it divide the waters from the waters. And God made
the firmament, and divided the waters which were under the firmament from the waters which were above the firmament:
and it was so. And God called the firmament Heaven. And the evening and the morning were the second day. And God said,
Let the waters under the heaven be gathered together unto one place, and let the dry land appear: and it was so. And God
called the dry land Earth; and the gathering together of the waters called he Seas: and God saw that it was good. And
God said, Let the earth bring forth grass, the herb yielding seed, and the fruit tree yielding fruit after his kind,
whose seed is in itself, upon the earth: and it was so.
"""
# What the first primer of logs was made of: lines in the manner of other people's systems, with values of its own.
IMITATIONS = (
    "Mar {n} 10:{n}:11 {host} sshd[{n}]: Failed password for invalid user {name} from 192.0.2.{n} port {n} ssh2",
    "Mar {n} 10:{n}:11 {host} sshd(pam_unix)[{n}]: session opened for user {name} by (uid=0)",
    "17/{n}/{n} 10:{n}:11 INFO storage.{cls}: Block block_{n} stored as bytes in memory (estimated size {n}.{n} KB, free {n}.{n} MB)",  # noqa: E501
    "17{n}{n} 10{n}11 {n} INFO dfs.{cls}$PacketResponder: Received block blk_-{n} of size {n} from /192.0.2.{n}",
    "2023-{n}-{n} 10:{n}:11, Info                  CBS    Loaded Servicing Stack v6.1.{n}.{n} with Core: C:\\Windows\\{name}.dll",  # noqa: E501
)


@lru_cache(maxsize=2)
def script(name):
    spec = importlib.util.spec_from_file_location(name, CORPORA / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def overlap():
    return script("overlap")


def too_much(name, text):
    most = MOST | MOST_OF.get(name, {})
    return {kind: share for kind, share in overlap().shares(text).items() if share > most[kind]}


def sources():
    found = {
        f"primer {primer.kind}": (lambda number=number: primers.text(number))
        for number, primer in primers.PRIMERS.items()
    }
    found["english text of the byte models"] = shipped.english
    found["primer of cmfast"] = short_primer
    logs = sorted((CORPORA / "logs").glob("*.log"))
    found["logs"] = lambda: b"".join(path.read_bytes() for path in logs)
    for path in sorted((CORPORA / "samples").iterdir()):
        if overlap().is_text(path.read_bytes()):
            found[path.name] = path.read_bytes
    return found


@pytest.mark.parametrize("name", sources())
def test_sources_share_little_with_the_benchmarks(name):
    assert not too_much(name, sources()[name]())


def test_primer_of_cmfast_is_lines_of_the_other_primers():
    """It is too short for its sampled shares to say much; those of the texts that it is made of do."""
    known = {line for number in primers.PRIMERS for line in primers.text(number).splitlines(keepends=True)}
    own = short_primer().splitlines(keepends=True)
    assert len(own) > 200
    assert [line for line in own if line not in known] == []


@pytest.mark.slow
def test_primer_of_cmfast_is_what_the_script_makes():
    overlap()  # which it imports
    texts = {primer.kind: primers.text(number) for number, primer in primers.PRIMERS.items()}
    assert script("make_primers").short(texts) == short_primer()


def test_imitated_shapes_are_found():
    dice = random.Random(3)
    lines = [
        dice.choice(IMITATIONS).format(
            n=dice.randrange(10, 9999), host=dice.choice(("web01", "combo")), name=dice.choice(("admin", "storage")),
            cls=dice.choice(("BlockManager", "DataNode", "Executor")),
        )
        for _ in range(400)
    ]  # fmt: skip
    imitated = "\n".join(lines).encode()
    assert "shapes" in too_much("imitated", imitated)
    # One part in five among real logs is enough.
    real = (CORPORA / "logs" / "haproxy.log").read_bytes()
    assert not too_much("real", real)
    assert "shapes" in too_much("mixed", real[: 4 * len(imitated)] + b"\n" + imitated)


def test_copied_text_is_found():
    copied = BIBLE.encode()
    assert "5 words" in too_much("copied", copied)
    # Other line ends, other numbers and capitals do not hide it.
    assert "5 words" in too_much("copied", copied.replace(b"\n", b"\r\n  ").upper())


def test_no_text_is_a_file_of_a_benchmark():
    listed = {line.split("\t")[0] for line in (CORPORA / "benchmarks.tsv").read_text().splitlines()[1:]}
    assert len(listed) > 300
    own = [path for folder in (CORPORA, WEIGHTS) for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in own if hashlib.sha256(path.read_bytes()).hexdigest() in listed]


def test_every_benchmark_of_the_manifest_with_text_is_in_the_sketch():
    listed = (CORPORA / "benchmarks.tsv").read_text()
    for corpus, file in (
        ("calgary", "book1"),
        ("large", "bible.txt"),
        ("silesia", "dickens"),
        ("loghub-2k", "HDFS_2k.log"),
    ):
        assert f"\ttext\t{corpus}/{file}\n" in listed


def test_logs_are_those_that_were_gathered():
    lines = (CORPORA / "logs" / "SHA256SUMS").read_text().splitlines()
    stated = {name: digest for digest, name in (line.split("  ") for line in lines)}
    logs = (CORPORA / "logs").glob("*.log")
    assert stated == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in logs}


def test_what_the_language_model_learned_from_shares_little_with_the_benchmarks():
    """Its texts are not in the tree: their sampled shingles are."""
    recorded = overlap().recorded()
    assert len(recorded) == 20
    for name, own in recorded.items():
        assert all(len(hashes) > 200 for hashes in own.values()), name
        assert {kind: share for kind, share in overlap().contained(own).items() if share > MOST[kind]} == {}, name


def test_no_reserved_package_is_a_source():
    """Benchmarks, or what is kept back for measuring, come from these packages."""
    reserved = set((CORPORA / "reserved.txt").read_text().split())
    cards = [path for path in WEIGHTS.rglob("*.md") if path.is_file()]
    scripts = [CORPORA / f"{name}.py" for name in ("make_primers", "make_english", "make_photos", "make_logs")]
    assert len(cards) > 8
    found = {}
    for path in (*cards, *scripts):
        said = path.read_text()
        if path.suffix == ".py":  # patterns that leave something out
            said = re.sub(r"(?s)SKIPPED = \(.*?\n\)", "", said)
        named = set(re.findall(r"[\w@/.+-]*\w", said)) & reserved
        if named:
            found[path.name] = named
    assert found == {}
