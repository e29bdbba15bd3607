"""What an index page shows: the README without what leads nowhere there, and classifiers that say what is tested."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def page() -> str:
    """The README as the build makes it: its substitutions are Python's."""
    text = (ROOT / "README.md").read_text()
    for rule in SETTINGS["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text, count = re.subn(rule["pattern"], rule["replacement"], text)
        assert count, f"nothing in the README is like {rule['pattern']}"
    return text


def test_every_link_and_picture_is_absolute(page: str) -> None:
    assert [link for link in re.findall(r"\]\(([^)]*)\)", page) if not link.startswith("https://")] == []


def test_what_stands_there_is_what_one_does_from_an_index(page: str) -> None:
    assert "pip install nzip\n" in page
    assert not re.search(r"pip install '?\.", page)
    assert "pytest" not in page
    assert "<!--" not in page


def test_files_that_the_page_names_are_in_the_source_distribution() -> None:
    included = SETTINGS["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    links = re.findall(r"\]\((?!https:)([^)#]*)[^)]*\)", (ROOT / "README.md").read_text())
    assert links
    for link in links:
        assert (ROOT / link).exists(), link
        assert link.split("/")[0] in included, link


def test_classifiers_say_what_is_tested() -> None:
    systems = [c for c in SETTINGS["project"]["classifiers"] if c.startswith("Operating System")]
    assert systems == ["Operating System :: POSIX :: Linux"]
