"""The built-in transforms: the seam's checks, plain-Python references, golden bytes, awkward inputs."""

import hashlib
import io
import random
import subprocess
import sys

import pytest
from formats.checks import check_transform
from formats.content.contents import program
from formats.transforms.cases import CASES, delta_params, naive_x86
from hypothesis import given
from hypothesis import strategies as st
from numba import config

import nzip
from nzip.codec.blocks import Coding, encode_block
from nzip.errors import CorruptError
from nzip.formats.content import choice
from nzip.formats.content.detection import detect
from nzip.formats.content.kinds import BINARY
from nzip.formats.transforms.delta import DeltaTransform
from nzip.formats.transforms.shuffle import ShuffleTransform
from nzip.formats.transforms.x86 import POINTER, X86Transform
from nzip.registry import TRANSFORMS

DELTA, SHUFFLE, X86 = DeltaTransform(), ShuffleTransform(), X86Transform()


# Bytes that steps of x86 depend on, close together.
code = st.lists(st.sampled_from([0xE8, 0xE9, 0x0F, 0x80, 0x8F, 0, 1, 5, 255]), max_size=60).map(bytes)
blocks = st.one_of(
    st.binary(max_size=700),
    code,
    st.builds(lambda piece, count: piece * count, st.binary(min_size=1, max_size=9), st.integers(1, 90)),
)


@pytest.mark.parametrize("name", CASES)
def test_keeps_the_seams_rules(name: str) -> None:
    if name == "lines" and config.DISABLE_JIT:
        pytest.skip("takes minutes without compiled code")
    check_transform(TRANSFORMS.by_name(name), CASES[name].good, CASES[name].bad)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.forward])
@given(blocks, st.data())
def test_equals_its_reference(name: str, block: bytes, data: st.DataObject) -> None:
    transform, case = TRANSFORMS.by_name(name), CASES[name]
    params = data.draw(case.params)
    assert case.forward
    coded = transform.forward(block, params)
    assert coded == case.forward(block, **params)
    assert transform.inverse(coded, len(block), params) == block
    back = transform.inverse(block, len(block), params)
    assert back == case.inverse(block, **params)
    assert transform.forward(back, params) == block  # every block is the image of one


def test_every_transform_has_a_case() -> None:
    assert set(CASES) == set(TRANSFORMS)


@given(code, code, code, CASES["x86"].params)
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
        assert naive_x86(naive_x86(block, 1), 1, back=True) == block
    block = bytes(random.Random(3).choice(letters) for _ in range(20000))
    assert X86.inverse(X86.forward(block, {}), len(block), {}) == block


def test_x86_gives_calls_of_one_function_one_operand() -> None:
    block = bytearray(4000)
    for place in range(0, 3900, 131):
        block[place : place + 5] = b"\xe8" + (1234 - place - 5).to_bytes(4, "little", signed=True)
    coded = X86.forward(bytes(block), {})
    # 1234 in three bytes, the highest first, and the sign.
    assert {coded[place : place + 5] for place in range(0, 3900, 131)} == {b"\xe8\x00\x04\xd2\x00"}


@pytest.mark.parametrize("place", [0, 20_000, 41_007, 90_000])
def test_a_part_that_is_cut_out_of_code_changes_no_records(place: int) -> None:
    block = program(7000)
    cut = block[:place] + block[place + 14_003 :]
    contents = []
    for each in (block, cut):
        coded = X86.forward(each, {"jcc": 1})
        contents.append(X86.content(coded, detect(each), {"jcc": 1}))
        assert contents[-1].size == len(coded)
    assert {(content.kind, content.whole.cls, content.whole.record) for content in contents} == {
        ("exe-x86", BINARY, POINTER)
    }


@pytest.mark.compiled
def test_code_that_copies_is_no_longer_for_it() -> None:
    part = program(1200)
    block = program(5000) + part + program(2500)[::-1] + part + program(5000)[90:40_000]
    packed = nzip.compress(block, 3)
    (found,) = nzip.inspect(io.BytesIO(packed)).blocks
    assert found.copied > len(part) - 64
    assert nzip.decompress(packed) == block
    whole = encode_block(block, Coding((("cmfast", {"streams": 2}),)))
    assert len(packed) < len(whole) + len(whole) // 200


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


@pytest.mark.parametrize(
    ("name", "params", "packed", "digest"),
    [(name, *pinned) for name, case in CASES.items() for pinned in case.pinned],
)
def test_bytes_stay_as_released(name: str, params: dict[str, int], packed: str, digest: str) -> None:
    transform = TRANSFORMS.by_name(name)
    assert transform.pack(params).hex() == packed
    coded = transform.forward(CASES[name].block, params)
    assert hashlib.sha256(coded).hexdigest()[:16] == digest


@pytest.mark.parametrize("name", CASES)
def test_is_chosen_for_what_it_is_for(name: str) -> None:
    block = CASES[name].block
    assert name in [chosen for chosen, _ in choice.choose(block, detect(block), sees_records=False)]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.forward])
def test_a_length_that_does_not_fit_is_corrupt(name: str) -> None:
    with pytest.raises(CorruptError, match="bytes where"):
        TRANSFORMS.by_name(name).inverse(b"12345", 6, {})


def test_importing_the_transforms_imports_neither_numpy_nor_numba() -> None:
    program = "import sys\nimport nzip.formats.content.choice, nzip.formats.content.detection\n"
    program += "from nzip.registry import TRANSFORMS\nall(TRANSFORMS.by_name(name) for name in TRANSFORMS)\n"
    program += "sys.exit(any(name in sys.modules for name in ('numpy', 'numba', 'zstandard')))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
