"""The built-in transforms: the seam's checks, plain-Python references, golden bytes, awkward inputs."""

import hashlib
import random
import subprocess
import sys

import naive_transforms
import pytest
from formats.checks import check_transform
from hypothesis import given
from hypothesis import strategies as st

from nzip.errors import CorruptError
from nzip.formats.transforms.base import Transform
from nzip.formats.transforms.delta import DeltaTransform
from nzip.formats.transforms.shuffle import ShuffleTransform
from nzip.formats.transforms.x86 import X86Transform

DELTA, SHUFFLE, X86 = DeltaTransform(), ShuffleTransform(), X86Transform()


def delta_params(stride: int, width: int, big: int = 0, offset: int = 0) -> dict[str, int]:
    return {"stride": stride, "width": width, "big": big, "offset": offset}


@st.composite
def any_delta(draw: st.DrawFn) -> dict[str, int]:
    width = draw(st.integers(1, 4))
    stride = width * draw(st.integers(1, 255 // width))
    return delta_params(stride, width, draw(st.integers(0, 1)) if width > 1 else 0, draw(st.integers(0, 255)))


any_shuffle = st.fixed_dictionaries({"width": st.integers(2, 255), "offset": st.integers(0, 255)})
any_x86 = st.fixed_dictionaries({"jcc": st.integers(0, 1)})
# Bytes that steps of x86 depend on, close together.
code = st.lists(st.sampled_from([0xE8, 0xE9, 0x0F, 0x80, 0x8F, 0, 1, 5, 255]), max_size=60).map(bytes)
blocks = st.one_of(
    st.binary(max_size=700),
    code,
    st.builds(lambda piece, count: piece * count, st.binary(min_size=1, max_size=9), st.integers(1, 90)),
)


def test_delta_keeps_the_seams_rules() -> None:
    good = [{}, delta_params(1, 1), delta_params(255, 1, offset=255), delta_params(2, 2), delta_params(4, 2, 1, 1)]
    good += [delta_params(6, 3, 0, 2), delta_params(255, 3, 1), delta_params(4, 4), delta_params(252, 4, 1, 3)]
    bad = [delta_params(0, 1), delta_params(256, 1), delta_params(1, 0), delta_params(5, 5), delta_params(3, 2)]
    bad += [delta_params(1, 1, 1), delta_params(2, 2, 2), delta_params(1, 1, 0, 256), {"stride": -1}]
    check_transform(DELTA, good, bad)


def test_shuffle_keeps_the_seams_rules() -> None:
    good = [{}, {"width": 2, "offset": 0}, {"width": 3, "offset": 1}, {"width": 8, "offset": 255}, {"width": 255}]
    check_transform(SHUFFLE, good, [{"width": 1}, {"width": 256}, {"offset": -1}, {"offset": 256}])


def test_x86_keeps_the_seams_rules() -> None:
    check_transform(X86, [{}, {"jcc": 0}, {"jcc": 1}], [{"jcc": 2}, {"jcc": -1}])


@given(blocks, any_delta())
def test_delta_equals_its_reference(block: bytes, params: dict[str, int]) -> None:
    coded = DELTA.forward(block, params)
    assert coded == naive_transforms.delta(block, **params)
    assert DELTA.inverse(coded, len(block), params) == block
    assert DELTA.inverse(block, len(block), params) == naive_transforms.delta(block, **params, back=True)


@given(blocks, any_shuffle)
def test_shuffle_equals_its_reference(block: bytes, params: dict[str, int]) -> None:
    coded = SHUFFLE.forward(block, params)
    assert coded == naive_transforms.shuffle(block, **params)
    assert SHUFFLE.inverse(coded, len(block), params) == block
    assert SHUFFLE.inverse(block, len(block), params) == naive_transforms.unshuffle(block, **params)


@given(blocks, any_x86)
def test_x86_equals_its_reference(block: bytes, params: dict[str, int]) -> None:
    coded = X86.forward(block, params)
    assert coded == naive_transforms.x86(block, **params)
    assert X86.inverse(coded, len(block), params) == block
    back = X86.inverse(block, len(block), params)
    assert back == naive_transforms.x86(block, **params, back=True)
    assert X86.forward(back, params) == block  # every block is the image of one


@given(code, code, code, any_x86)
def test_x86_comes_back_where_operands_overlap(a: bytes, b: bytes, c: bytes, params: dict[str, int]) -> None:
    block = a + b * 7 + c * 3
    assert X86.inverse(X86.forward(block, params), len(block), params) == block


@pytest.mark.parametrize("opcode", [0xE8, 0xE9, 0x0F])
@pytest.mark.parametrize("fill", [0, 255, 0xE8, 0x85, 0x0F])
def test_x86_comes_back_at_every_edge(opcode: int, fill: int) -> None:
    for size in range(14):
        for place in range(size):
            block = bytes([fill] * place + [opcode] + [fill] * (size - place - 1))
            for jcc in (0, 1):
                assert X86.inverse(X86.forward(block, {"jcc": jcc}), size, {"jcc": jcc}) == block


def test_x86_comes_back_for_all_short_blocks_of_its_bytes() -> None:
    letters = (0xE8, 0x0F, 0x80, 0, 255)
    for number in range(len(letters) ** 6):
        block = bytes(letters[number // 5**i % 5] for i in range(6)) + b"\0\0"
        assert naive_transforms.x86(naive_transforms.x86(block, 1), 1, back=True) == block
    block = bytes(random.Random(3).choice(letters) for _ in range(20000))
    assert X86.inverse(X86.forward(block, {}), len(block), {}) == block


def test_x86_gives_calls_of_one_function_one_operand() -> None:
    block = bytearray(4000)
    for place in range(0, 3900, 131):
        block[place : place + 5] = b"\xe8" + (1234 - place - 5).to_bytes(4, "little", signed=True)
    coded = X86.forward(bytes(block), {})
    # 1234 in three bytes, the highest first, and the sign.
    assert {coded[place : place + 5] for place in range(0, 3900, 131)} == {b"\xe8\x00\x04\xd2\x00"}


def test_x86_wraps_at_the_ends_of_its_range() -> None:
    assert X86.forward(b"\xe8\xfb\xff\xff\xff", {}) == b"\xe8\x00\x00\x00\x00"
    assert X86.forward(b"\xe8\xfb\xff\xff\x00", {}) == b"\xe8\x00\x00\x00\xff"
    assert X86.forward(b"\xe8\xfb\xff\xff\x01", {}) == b"\xe8\xfb\xff\xff\x01"
    assert X86.forward(b"\x0f\x85\x00\x01\x00\x00", {"jcc": 1}) == b"\x0f\x85\x00\x01\x06\x00"
    assert X86.forward(b"\x0f\x85\x00\x01\x00\x00", {"jcc": 0}) == b"\x0f\x85\x00\x01\x00\x00"


def test_delta_borrows_inside_the_sample_only() -> None:
    assert DELTA.forward(b"\x01\x02\x00\x03", delta_params(2, 2)) == b"\x01\x02\xff\x00"
    assert DELTA.forward(b"\x02\x01\x03\x00", delta_params(2, 2, 1)) == b"\x02\x01\x00\xff"
    assert DELTA.forward(b"\x01\x00\x00\x00\x00\x00\x09", delta_params(3, 3)) == b"\x01\x00\x00\xff\xff\xff\x09"
    assert DELTA.forward(b"h\x05\x03", delta_params(1, 1, 0, 1)) == b"h\x05\xfe"


def test_shuffle_orders_bytes_as_documented() -> None:
    assert SHUFFLE.forward(b"hABCabc.", {"width": 3, "offset": 1}) == b"hAaBbCc."
    assert SHUFFLE.forward(b"ab", {"width": 3, "offset": 0}) == b"ab"
    assert SHUFFLE.forward(b"ab", {"width": 2, "offset": 7}) == b"ab"


GOLDEN_BLOCK = bytes((i * i // 7 + i * 3) % 256 if i % 9 else 0xE8 for i in range(3000))
GOLDEN_BLOCK += b"\xe8\x00\x00\xff\xff" * 99 + b"\x0f\x85\x10\x20\x00\x00" * 50
GOLDEN = [
    (DELTA, delta_params(1, 1), "01010000", "5e24c3d84daba422"),
    (DELTA, delta_params(4, 2), "04020000", "5787626554cdf22e"),
    (DELTA, delta_params(6, 3, 1, 2), "06030102", "d6ffdab24f84ba65"),
    (DELTA, delta_params(8, 4), "08040000", "f737895b2822d16b"),
    (SHUFFLE, {"width": 4, "offset": 0}, "0400", "52a3fdf6aa103df0"),
    (SHUFFLE, {"width": 13, "offset": 5}, "0d05", "15aae5383b8211af"),
    (X86, {"jcc": 0}, "00", "45713cb0c15f34fb"),
    (X86, {"jcc": 1}, "01", "57abf64a1c53b070"),
]


@pytest.mark.parametrize(("transform", "params", "packed", "digest"), GOLDEN)
def test_bytes_stay_as_released(transform: Transform, params: dict[str, int], packed: str, digest: str) -> None:
    assert transform.pack(params).hex() == packed
    coded = transform.forward(GOLDEN_BLOCK, params)
    assert hashlib.sha256(coded).hexdigest()[:16] == digest


@pytest.mark.parametrize("transform", [DELTA, SHUFFLE, X86])
def test_a_length_that_does_not_fit_is_corrupt(transform: Transform) -> None:
    with pytest.raises(CorruptError, match="bytes where"):
        transform.inverse(b"12345", 6, {})


def test_importing_the_transforms_imports_neither_numpy_nor_numba() -> None:
    names = "delta", "shuffle", "x86"
    program = "import sys\nimport nzip.formats.content.choice, nzip.formats.content.detection\n"
    program += "".join(f"import nzip.formats.transforms.{name}\n" for name in names)
    program += "sys.exit(any(name in sys.modules for name in ('numpy', 'numba', 'zstandard')))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
