"""The generated pages say what the code says now."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
_spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
assert _spec is not None
assert _spec.loader is not None
make_reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(make_reference)


@pytest.mark.parametrize(("name", "make"), make_reference.PAGES.items(), ids=list(make_reference.PAGES))
def test_a_page_is_what_the_code_says(name: str, make: Callable[[], str]) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == make(), "stale: run python docs/make_reference.py"
