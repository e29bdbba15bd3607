"""The examples are true: those of the pages as well as those in docstrings."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import nzip
from tests.docs import blocks

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
LANGUAGES = {"sh", "python", "pycon"}
# README's commands are run by .ci/run or need files of the reader's; API's examples are run as docstrings.
SHOWN_ONLY = {"README.md": {"sh"}, "API.md": {"python", "pycon"}}


def examples(page: Path) -> list[blocks.Block]:
    """Return the blocks that are run, with those of text that say what they print."""
    return [block for block in blocks.blocks(page) if block.language not in SHOWN_ONLY.get(page.name, set())]


RUN = [page for page in PAGES if LANGUAGES & {block.language for block in examples(page)}]


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_page(page: Path, tmp_path: Path) -> None:
    blocks.Session(tmp_path).run(examples(page))


def test_every_tutorial_is_run() -> None:
    assert set((ROOT / "docs" / "tutorial").glob("*.md")) <= set(RUN)


class TestMechanism:
    """A page that says something wrong fails."""

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("```sh\nfalse\n```\n", "p.md, line 2: status 1"),
            ("```python\nassert 1 == 2\n```\n", "p.md, line 2: status 1"),
            ("```sh\necho one\n```\n\n```text\ntwo\n```\n", "p.md, line 6: the page shows"),
            ("```pycon\n>>> 1 + 1\n3\n```\n", "Expected:\n    3\nGot:\n    2"),
        ],
    )
    def test_wrong(self, text: str, message: str, tmp_path: Path) -> None:
        page = tmp_path / "p.md"
        page.write_text(text)
        with pytest.raises(AssertionError, match=message):
            blocks.Session(tmp_path).run(blocks.blocks(page))

    def test_right(self, tmp_path: Path) -> None:
        page = tmp_path / "p.md"
        page.write_text(
            "```python\n# a.py\nprint('one', end=' two\\n')\n```\n\n```sh\npython a.py\n```\nprints\n"
            "\n```text\nnothing: there is a word between\n```\n\n* item\n\n  ```pycon\n  >>> 1 + 1\n  2\n  ```\n"
            "\n```sh\npython a.py\n```\n\n```text\none ...\n```\n"
        )
        blocks.Session(tmp_path).run(blocks.blocks(page))


def modules() -> list[str]:
    """Return the modules of nzip whose source has an example."""
    home = Path(nzip.__path__[0])
    sources = [path for path in sorted(home.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]
    names = [".".join(path.relative_to(home.parent).with_suffix("").parts) for path in sources]
    return [name.removesuffix(".__init__") for name in names]


@pytest.mark.parametrize("name", modules())
def test_docstrings(name: str) -> None:
    result = doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0
