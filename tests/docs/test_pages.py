"""The documents hold together: lines end at 120 columns, links and anchors lead somewhere, every page is found."""

import re
import unicodedata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
WIDTH = 120
EXAMPLES = {"nzip/models/sheets/"}  # of the how-to about spreadsheets
FENCE = re.compile(r"^ *(?:```|~~~)")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def prose(page: Path) -> list[tuple[int, str]]:
    """Return the lines of `page` that are no code, with their numbers from 1."""
    lines, fenced = [], False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            lines.append((number, line))
    assert not fenced, f"{page}: a block of code is not closed"
    return lines


def anchors(page: Path) -> set[str]:
    """Return what links may name in `page`: its headings in small letters, spaces as hyphens, other signs left out."""
    found: set[str] = set()
    for _, line in prose(page):
        if heading := re.fullmatch(r"#+ +(.*)", line):
            words = re.sub(r"[^\w\s-]", "", unicodedata.normalize("NFKD", heading[1]).lower()).strip()
            found.add(re.sub(r"[\s-]+", "-", words))
    return found


def test_there_are_pages() -> None:
    assert {page.parent.name for page in PAGES} >= {"docs", "explanation", "how-to", "reference", "tutorial"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
class TestPage:
    def test_lines_are_short(self, page: Path) -> None:
        """Tables, code, and words that cannot be broken may be longer."""
        long = [
            number
            for number, line in prose(page)
            if len(line) > WIDTH and not line.lstrip().startswith(("|", "<!--", "    ")) and " " in line.strip()[:WIDTH]
        ]
        assert long == []

    def test_links_lead_somewhere(self, page: Path) -> None:
        for number, line in prose(page):
            for link in LINK.findall(re.sub(r"`[^`]*`", "", line)):
                if re.match(r"[a-z]+:", link):
                    continue
                path, _, anchor = link.partition("#")
                target = (page.parent / path).resolve() if path else page
                assert target.exists(), f"line {number}: {link}"
                assert not anchor or anchor in anchors(target), f"line {number}: {link}"

    def test_files_that_are_named_exist(self, page: Path) -> None:
        """But for those that the reader is to write: they are called NAME, or stand as examples."""
        for number, line in prose(page):
            for path in re.findall(r"`((?:nzip|tests|docs|benchmarks|corpora)/[\w./-]+)`", line):
                assert "NAME" in path or path in EXAMPLES or (ROOT / path).exists(), f"line {number}: {path}"


def test_the_index_names_every_page() -> None:
    """But for those of engines, which stand in a list of their own."""
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"README.md"}
    index = {link for link in LINK.findall((DOCS / "README.md").read_text(encoding="utf-8")) if "#" not in link}
    engines = (DOCS / "reference" / "FORMAT.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \d+ \| .*\]\((\w+\.md)\)", engines, re.MULTILINE)
    assert pages == index | {f"reference/{page}" for page in listed}
