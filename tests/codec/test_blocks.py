"""A block's way in: its content reaches transforms and engine; a block ends at a border of content."""

import io
import random
import tarfile

import pytest
from formats.content.contents import program, riff, wave

import nzip
from nzip.codec import blocks
from nzip.codec.blocks import encode_block, end_of_block
from nzip.codec.coding import Coding
from nzip.formats.container.structures import Header
from nzip.formats.content.detection import detect
from nzip.formats.content.kinds import Content, Segment
from nzip.formats.transforms.base import Chain, Transform
from nzip.models.store import StoreEngine
from nzip.models.zstd import ZstdEngine
from nzip.params import Number, Parameters, Params
from nzip.registry import ENGINES, TRANSFORMS

BLOCK = 1 << 20
WORDS = [bytes(random.Random(i).choices(b"etaoinshrdlu", k=2 + i % 7)) for i in range(400)]


@pytest.fixture(autouse=True)
def registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registrations made in a test are undone after it."""
    for registry in (ENGINES, TRANSFORMS):
        for name in ("_objects", "_names", "_paths"):
            monkeypatch.setattr(registry, name, dict(getattr(registry, name)))


def prose(size: int, seed: int = 1) -> bytes:
    return b" ".join(random.Random(seed).choices(WORDS, k=size // 2))[:size]


def archive(*files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for number, data in enumerate(files):
            info = tarfile.TarInfo(f"{number}.txt")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


class Watching(ZstdEngine):
    """zstd under another name, which keeps what it was told of its blocks."""

    name = "watching"
    id = 70
    sees_records = True

    def __init__(self) -> None:
        self.seen: list[Content | None] = []

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        self.seen.append(content)
        return super().encode(block, params)


def coding(engine: str = "watching") -> Coding:
    return Coding(((engine, {}),))


def test_the_engine_is_told_what_the_block_holds() -> None:
    engine = Watching()
    nzip.register_engine(engine)
    block = archive(prose(100_000), b"P6\n200 150\n255\n" + bytes(x // 3 % 251 for x in range(90_000)))
    encode_block(block, coding())
    assert engine.seen == [detect(block)]
    assert [segment.kind for segment in detect(block).segments] == ["text", "image"]


def test_after_a_transform_the_content_is_what_the_transform_says() -> None:
    engine = Watching()
    nzip.register_engine(engine)
    sound = riff(wave(12_000, 2, 2, 40), 2, 2)
    encode_block(sound, coding())
    (content,) = engine.seen
    assert content is not None
    assert content.kind == "audio"  # to contexts, differences of samples are samples
    assert content.size == len(sound)


class Turned(Transform):
    """A transform of another package, which undoes what no other transform knows: bytes that were turned by 90."""

    name = "turned"
    id = 71
    version = 1
    parameters = Parameters("transform turned", Number(name="by", low=1, high=255, default=90, help="How far."))

    def forward(self, block: bytes, params: Params) -> bytes:
        return bytes((byte - i * params["by"]) % 256 for i, byte in enumerate(block))

    def inverse(self, coded: bytes, size: int, params: Params) -> bytes:
        return bytes((byte + i * params["by"]) % 256 for i, byte in enumerate(coded))

    def proposals(
        self, content: Content, before: Chain, sees_records: bool, sees_lines: bool
    ) -> list[dict[str, int]]:
        return [] if before else [{"by": 90}]


@pytest.mark.parametrize("level", [1, 3])
def test_a_registered_transform_is_chosen_where_it_wins(level: int) -> None:
    block = bytes((byte + i * 90) % 256 for i, byte in enumerate(prose(60_000)))
    plain = nzip.compress(block, level)
    nzip.register_transform(Turned())
    packed = nzip.compress(block, level)
    assert nzip.inspect(io.BytesIO(packed)).blocks[0].transforms == [("turned", 1, {"by": 90})]
    assert len(packed) < len(plain)
    assert nzip.decompress(packed) == block
    assert nzip.inspect(io.BytesIO(nzip.compress(prose(60_000), level))).blocks[0].transforms == []


# Borders


def sizes(data: bytes) -> list[int]:
    return [block.raw_size for block in nzip.inspect(io.BytesIO(data)).blocks]


TORN = archive(prose(700_000), prose(300_000, 2), prose(200_000, 3))
BORDER = 700_000 + 300_000 + 2 * 512 + (-700_000 % 512) + (-300_000 % 512)


def test_a_block_ends_before_the_member_that_it_would_tear() -> None:
    nzip.register_engine(Watching())
    packed = nzip.compress(TORN, engine="watching", block_size=BLOCK)
    assert sizes(packed) == [BORDER, len(TORN) - BORDER]
    assert nzip.decompress(packed) == TORN


def test_the_border_depends_on_the_bytes_alone() -> None:
    nzip.register_engine(Watching())
    data = TORN + TORN[:900_000]
    packed = nzip.compress(data, engine="watching", block_size=BLOCK)
    assert sizes(packed)[0] == BORDER
    assert len(sizes(packed)) == 2  # what stood before takes no room in a block
    assert nzip.compress(data, engine="watching", block_size=BLOCK, threads=3) == packed
    for step in (100_003, BLOCK, BLOCK + 1):
        compressor = nzip.Compressor(engine="watching", block_size=BLOCK)
        out = [compressor.compress(data[i : i + step]) for i in range(0, len(data), step)]
        assert b"".join([*out, compressor.flush()]) == packed


def test_an_engine_that_sees_no_records_gets_full_blocks() -> None:
    assert not StoreEngine.sees_records
    assert end_of_block(TORN[:BLOCK], coding("zstd")) == BLOCK
    packed = nzip.compress(TORN, engine="zstd", block_size=BLOCK)
    assert sizes(packed) == [BLOCK, len(TORN) - BLOCK]


class TestSeveralEngines:
    """The first engine of the list that accepts the content codes a block; where it does not shrink it, the next."""

    @pytest.fixture
    def engines(self) -> None:
        class Zeros(StoreEngine):
            name, id, version = "zeros", 100, 1

            def accepts(self, content: Content) -> bool:
                return content.kind == "image"

            def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
                return b"\0" if not any(block) else block

            def decode(self, payload: bytes, size: int, params: Params) -> bytes:
                return bytes(size)

        ENGINES.register(Zeros())

    @pytest.mark.parametrize(
        ("block", "engine"),
        [
            (b"P5 100 100 255\n" + bytes(10_000), 1),  # an image, which the first does not shrink
            (b"the cat and the dog and the bird " * 50, 1),
            (random.Random(3).randbytes(3000), 0),
        ],
    )
    def test_the_first_that_accepts_and_shrinks(self, engines: None, block: bytes, engine: int) -> None:
        chunk = encode_block(block, Coding((("zeros", {}), ("zstd", {}))))
        (found,) = nzip.inspect(io.BytesIO(Header(solo=True).encode() + chunk)).blocks
        assert found.engine_id == engine

    def test_the_last_is_not_asked(self, engines: None) -> None:
        chunk = encode_block(bytes(5000), Coding((("zeros", {}),)))
        (found,) = nzip.inspect(io.BytesIO(Header(solo=True).encode() + chunk)).blocks
        assert found.engine_id == 100

    def test_content_decides(self, engines: None, monkeypatch: pytest.MonkeyPatch) -> None:
        for kind, engine in (("image", 100), ("text", 1)):
            monkeypatch.setattr(blocks, "detect", lambda raw, kind=kind, **_: Content((Segment(kind, len(raw)),)))
            chunk = encode_block(bytes(5000), Coding((("zeros", {}), ("zstd", {}))))
            (found,) = nzip.inspect(io.BytesIO(Header(solo=True).encode() + chunk)).blocks
            assert found.engine_id == engine


@pytest.mark.parametrize("level", [3, 6])
def test_a_sound_in_an_archive_is_nearly_as_small_as_alone(level: int) -> None:
    code = b"\x7fELF\2\1\1" + bytes(11) + b"\x3e\0" + program(2500)
    members = prose(50_000), riff(wave(9000, 2, 2, 40), 2, 2), code
    packed = nzip.compress(archive(*members), level)
    (block,) = nzip.inspect(io.BytesIO(packed)).blocks
    assert block.engine == "bundle"
    alone = sum(len(nzip.compress(member, level)) for member in members)
    assert len(packed) < alone + alone // 50 + 200


def test_nucleotides_that_repeat_are_opened_only_where_there_is_an_engine_for_them():
    dice = random.Random(18)
    letters = "".join(dice.choice("ACGT") for _ in range(3001))
    data = "\n".join(letters[dice.randrange(9) :] for _ in range(40)).encode()
    for level, engine in ((2, "zstd"), (6, "bundle")):
        block = nzip.inspect(io.BytesIO(nzip.compress(data, level=level))).blocks[0]
        assert block.engine == engine
        assert block.payload_size < len(data) // 30
