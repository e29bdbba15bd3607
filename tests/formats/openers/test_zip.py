"""The opener of ZIP archives."""

import io
import zipfile

import pytest
from formats.openers.checks import JIT, alike, damaged, left_alone, opened
from formats.openers.made import Member, deflated, words, zip_of
from hypothesis import given
from hypothesis import strategies as st

from nzip.formats.openers.zip.opener import layout

TEXTS = [words(100 + 10 * k, k) for k in range(6)]
PLAIN = [Member(b"folder/a%d.txt" % k, text) for k, text in enumerate(TEXTS)]

ARCHIVES = {
    "plain": zip_of(PLAIN),
    "comment": zip_of(PLAIN, b"a comment"),
    "one": zip_of(PLAIN[:1]),
    "stored": zip_of([each._replace(method=0) for each in PLAIN]),
    "empty members": zip_of([Member(b"folder/", b"", 0), *PLAIN, Member(b"none", b"", 8)]),
    "java": zip_of([each._replace(descriptor="word<III", time=7 + k) for k, each in enumerate(PLAIN)]),
    "no word": zip_of([each._replace(descriptor="<III") for each in PLAIN]),
    "large descriptors": zip_of([each._replace(descriptor="word<IQQ") for each in PLAIN]),
    "large, no word": zip_of([each._replace(descriptor="<IQQ") for each in PLAIN]),
    "extra fields": zip_of([each._replace(extra=b"UT\5\0\1abcd", central_extra=b"UT\1\0x") for each in PLAIN]),
    "other extra fields": zip_of([each._replace(extra=b"ab\1\0" + bytes((k,))) for k, each in enumerate(PLAIN)]),
    "comments": zip_of([each._replace(comment=b"no. %d" % k, outer=k << 16) for k, each in enumerate(PLAIN)]),
    "sizes in extra fields": zip_of([each._replace(unstated=True, extra=b"\1\0\x10\0" + bytes(16)) for each in PLAIN]),
    "padding": zip_of([each._replace(between=bytes(5)) for each in PLAIN]),
    "behind a program": zip_of(PLAIN, base=5000),
    "another order": zip_of(PLAIN, order=[3, 0, 5, 4, 1, 2]),
    "encrypted": zip_of([*PLAIN[:2], PLAIN[2]._replace(flags=1, data=b"noise" * 9), *PLAIN[3:]]),
    "other methods": zip_of([PLAIN[0], PLAIN[1]._replace(method=12, data=b"BZh" + bytes(30)), PLAIN[2]]),
    "a wrong check": zip_of([PLAIN[0], PLAIN[1]._replace(check=5), PLAIN[2]]),
    "kinds": zip_of([Member(b"b%d.%s" % k, TEXTS[k[0]]) for k in enumerate((b"xml", b"py", b"XML", b"", b"py"))]),
    "an epub": zip_of([Member(b"mimetype", b"application/epub+zip", 0), *PLAIN]),
}  # fmt: skip


@pytest.mark.parametrize("name", ARCHIVES)
def test_comes_back(name: str) -> None:
    found = opened("zip", ARCHIVES[name])
    assert found.recipe == b""
    if name not in ("encrypted", "other methods", "a wrong check", "kinds"):
        assert found.inner.endswith(b"".join(TEXTS if name != "one" else TEXTS[:1]))


@pytest.mark.skipif(not JIT, reason="plain Python takes minutes")
@pytest.mark.parametrize("name", ["java", "another order", "encrypted", "sizes in extra fields", "kinds"])
def test_damage(name: str) -> None:
    damaged("zip", opened("zip", ARCHIVES[name]), len(ARCHIVES[name]), len(name), 150)


@pytest.mark.skipif(not JIT, reason="plain Python takes minutes")
def test_what_headers_repeat_costs_nothing() -> None:
    many = [Member(b"%04d" % k, b"text " * 9) for k in range(500)]
    found = opened("zip", zip_of(many))
    assert layout(found.inner).names < 500 * 4
    assert len(found.inner) - layout(found.inner).groups[0] == 500 * 45


def test_members_are_sorted_by_the_endings_of_their_names() -> None:
    found = opened("zip", ARCHIVES["kinds"])
    parted = layout(found.inner)
    assert found.inner[parted.groups[0] :] == b"".join(TEXTS[k] for k in (0, 2, 1, 4, 3))
    sizes = [len(TEXTS[0]) + len(TEXTS[2]), len(TEXTS[1]) + len(TEXTS[4]), len(TEXTS[3])]
    assert [b - a for a, b in zip(parted.groups, parted.groups[1:], strict=False)] == sizes
    assert found.inner[parted.names :].startswith(b"b0.xml\nb1.py\nb2.XML\nb3.\nb4.py\n")


@pytest.mark.skipif(not JIT, reason="plain Python takes minutes")
def test_members_without_a_directory() -> None:
    for name in ("plain", "stored", "java", "large descriptors", "other extra fields"):
        coded = ARCHIVES[name][: ARCHIVES[name].find(b"PK\1\2")]
        if name == "java":
            coded = coded[: coded.rfind(b"PK\7\x08")]
        sizes = tuple(len(deflated(text)) if name != "stored" else len(text) for text in TEXTS)
        found = opened("zip", coded, sizes=sizes)
        assert found.inner.endswith(b"".join(TEXTS))
        damaged("zip", found, len(coded), 5, 20)
        left_alone("zip", coded)


def test_a_stream_of_another_encoder_stays_as_it_is() -> None:
    text = TEXTS[0]
    fixed = deflated(text, 9) if deflated(text, 9) != deflated(text) else deflated(text, 1)
    assert opened("zip", zip_of([PLAIN[0]._replace(data=fixed), PLAIN[1]]))
    halves = b"\0\x03\0\xfc\xffabc\1\x03\0\xfc\xffdef"  # two stored blocks, which no encoder makes of so few bytes
    found = opened("zip", zip_of([Member(b"x", b"abcdef", data=halves), PLAIN[1]]))
    assert halves in found.inner or b"abcdef" in found.inner


@pytest.mark.skipif(not JIT, reason="plain Python takes minutes")
def test_what_is_inside_is_bounded() -> None:
    bomb = zip_of([Member(b"zeros", bytes(1 << 20)), PLAIN[0]])
    from nzip.registry import OPENERS

    found = OPENERS.by_name("zip").open(bomb, 1 << 16)
    assert found is not None
    assert len(found.inner) < 1 << 16
    assert OPENERS.by_name("zip").close(found.inner, found.recipe, len(bomb)) == bomb


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("stream", [False, True])
def test_archives_of_pythons_own(method: int, stream: bool) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *where: int) -> int:
            raise OSError

    file = Pipe() if stream else io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.comment = b"made by a test"
        for k, text in enumerate(TEXTS):
            archive.writestr(f"text {k}.txt", text)
        with archive.open("large", "w", force_zip64=True) as member:
            member.write(TEXTS[0])
    opened("zip", file.getvalue())


@given(st.binary(max_size=80), st.integers(1, 200))
def test_any_inner_bytes_are_as_the_reference_says(inner: bytes, size: int) -> None:
    alike("zip", inner, b"", size)
    alike("zip", bytes((len(inner) % 60,)) + b"\1\5\0\0\0\0" + inner, b"", size)


def test_what_is_no_archive_is_left() -> None:
    coded = ARCHIVES["plain"]
    for cut in (0, 3, 30, 100, len(coded) - 22, len(coded) - 1):
        left_alone("zip", coded[:cut])
    left_alone("zip", coded + b"x")
    left_alone("zip", b"x" + coded)
    left_alone("zip", zip_of([PLAIN[0]._replace(name=b"two\nlines")]))
    left_alone("zip", zip_of([]))
    for at in (1, 26, 28, coded.find(b"PK\1\2") + 44, coded.find(b"PK\1\2") + 20):
        left_alone("zip", coded[:at] + bytes((coded[at] ^ 64,)) + coded[at + 1 :])
