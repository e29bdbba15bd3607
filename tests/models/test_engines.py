"""Every engine keeps the rules of the seam: each case of the table, each property."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from models import checks
from models.cases import BLOCKS, CASES, JIT_OFF, PINNED, SMALL, Case, payloads

from nzip.params import Number
from nzip.registry import ENGINES

TESTS = Path(__file__).parents[1]
RUN = tuple(case for case in CASES if not (JIT_OFF and case.compiled))
PAYLOADS: dict[str, dict[str, str]] = json.loads(PINNED.read_text("utf-8"))


@pytest.fixture(params=RUN, ids=str, scope="module")
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    with request.param.inside():
        yield request.param


@pytest.mark.parametrize(
    "check",
    [
        checks.check_identity,
        checks.check_params,
        checks.check_declaration,
        checks.check_stated_memory,
        checks.check_used_memory,
        pytest.param(checks.check_round_trips, marks=pytest.mark.compiled),
        pytest.param(checks.check_determinism, marks=pytest.mark.compiled),
        checks.check_damage,
    ],
    ids=lambda check: check.__name__.removeprefix("check_"),
)
def test_engine(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("case", [case for case in RUN if case.naive], ids=str)
def test_kernel_equals_its_reference(case: Case) -> None:
    with case.inside():
        checks.check_naive(case)


@pytest.mark.parametrize("case", [case for case in RUN if case.pinned], ids=str)
def test_payloads_never_change(case: Case) -> None:
    known = PAYLOADS[str(case)]
    names = (SMALL,) if JIT_OFF else tuple(known)
    assert payloads(case, names) == {name: known[name] for name in names}


def test_no_engine_loads_a_compiler_before_it_codes() -> None:
    program = (
        "import sys; from nzip.registry import ENGINES\n"
        "for name in ENGINES: ENGINES.by_name(name).parameters\n"
        "assert not {'numba', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], timeout=60, check=True)


def test_every_engine_and_every_preset_has_a_case() -> None:
    assert {case.engine for case in CASES} == set(ENGINES) - {"bundle"}  # made of parts: tests/codec/test_bundle.py
    for name in ENGINES:
        numbers = [each for each in ENGINES.by_name(name).parameters if isinstance(each, Number)]
        for preset in (each for each in numbers if each.name == "preset"):
            there = {case.params.get("preset", preset.default) for case in CASES if case.engine == name}
            assert there == set(range(preset.low, preset.high + 1)), name


def test_cases_are_told_apart_and_pinned() -> None:
    assert len({str(case) for case in CASES}) == len(CASES)
    assert set(PAYLOADS) == {str(case) for case in CASES if case.pinned}
    assert len(BLOCKS) > 10
