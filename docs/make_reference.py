"""Writes `reference/CLI.md` from the command's own help and `reference/API.md` from the docstrings of public names.

    python docs/make_reference.py             write both pages
    python docs/make_reference.py --check     write nothing; exit 1 where a page is not what the code says

What is wrong in one of the two pages is mended in the help or the docstring, and the page is made again.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import click

HERE = Path(__file__).resolve().parent
WIDTH = 120
MADE = "*Made by `docs/make_reference.py` from {source}: mend it there.*"

# The public names, in the order in which a reader needs them: chapter, module, names.
API = (
    ("Compressing", "nzip", ("compress", "Compressor")),
    ("Decompressing", "nzip", ("decompress", "Decompressor")),
    ("Files", "nzip", ("open", "NzipFile")),
    ("Directories", "nzip", ("compress_tree", "extract_tree", "list_tree", "TreeEntry", "FileResult")),
    ("Looking into files", "nzip", ("inspect", "FileInfo", "MemberInfo", "BlockInfo", "PartInfo", "OpenerInfo")),
    ("Searching", "nzip", ("grep",)),
    ("Damaged files", "nzip", ("salvage", "Salvage", "Fault")),
    ("Primers of one's own", "nzip", ("make_primer",)),
    ("Levels, engines, transforms", "nzip", ("levels", "Level", "engines", "transforms")),
    ("Costs", "nzip", ("conditional",)),
    (
        "Pictures and sounds, with loss",
        "nzip",
        (
            *("compress_signal", "decompress_signal", "latents"),
            *("Image", "Audio", "read_signal", "write_image", "write_audio"),
        ),
    ),
    ("Weights", "nzip.tensors", ("save_file", "load_file", "safe_open", "Slice", "save", "load")),
    ("Weights", "nzip.tensors.torch", ("load_file", "load", "save_model", "load_model")),
    ("Equal-Info tokens", "nzip", ("EqualInfoTokenizer", "Tokens", "detokenize")),
    ("Errors", "nzip", ("NzipError", "CorruptError", "TruncatedError", "UnsupportedError", "LimitError", "FileError")),
    ("Versions", "nzip", ("__version__", "FORMAT_VERSION")),
    ("Adding an engine or a transform", "nzip", ("register_engine", "register_transform")),
    ("Adding an engine or a transform", "nzip.models.base", ("Engine",)),
    ("Adding an engine or a transform", "nzip.formats.transforms.base", ("Transform",)),
    ("Adding an engine or a transform", "nzip.formats.content.kinds", ("Content", "Segment")),
    ("Entropy coders", "nzip.entropy", tuple(import_module("nzip.entropy").__all__)),
)
CONSTANTS = {
    "__version__": "The version of the package.",
    "FORMAT_VERSION": "The version of the file format.",
}


def commands(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Yield `command` and all below it, each with its context."""
    yield command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, click.Context(below, parent=context, info_name=name))


def filled(text: str) -> str:
    """Return one paragraph, wrapped."""
    return textwrap.fill(" ".join(text.split()), WIDTH, break_long_words=False, break_on_hyphens=False)


def listed(item: str) -> str:
    """Return an item of a list, wrapped."""
    return textwrap.fill(item, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def help_text(command: click.Command) -> str:
    """Return the help of `command` as Markdown; what it keeps unwrapped is code."""
    paragraphs = []
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b"):
            paragraphs.append("```text\n" + paragraph.removeprefix("\b").strip("\n") + "\n```")
        else:
            paragraphs.append(filled(paragraph))
    return "\n\n".join(paragraphs)


def cell(text: str, *, code: bool = False) -> str:
    """Return `text` as a cell of a table."""
    text = " ".join(text.split()).replace("|", "&#124;")
    if not code:
        return text.replace("<", "&lt;")
    return f"<code>{text}</code>" if "&#124;" in text else f"`{text}`"


def option_table(command: click.Command, context: click.Context) -> str:
    """Return the options of `command` as a table, without `--help`, which all have."""
    rows = ["| option | meaning |", "| --- | --- |"]
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None and "--help" not in parameter.opts:
            rows.append(f"| {cell(record[0], code=True)} | {cell(record[1])} |")
    return "\n".join(rows) if len(rows) > 2 else ""


def cli_page() -> str:
    """Return the reference of the command."""
    from nzip.cli import cli

    parts = ["# The command", MADE.format(source="the command's help")]
    # As the command itself runs: click keeps a command's help option as it was first asked for.
    for command, context in commands(cli, click.Context(cli, info_name="nzip", **cli.context_settings)):
        path = context.command_path
        parts.append(f"{'#' * min(2 + path.count(' ') - (path != 'nzip'), 4)} {path}")
        usage = command.get_usage(context).removeprefix("Usage: ")
        parts.append("```text\n" + " ".join(usage.split()) + "\n```")
        parts.append(help_text(command))
        if isinstance(command, click.Group):
            lines = [f"* [{path} {name}](#{anchor(f'{path} {name}')})" for name in command.list_commands(context)]
            parts.append("\n".join(lines))
        parts.append(option_table(command, context))
    return "\n\n".join(filter(None, parts)) + "\n"


def anchor(heading: str) -> str:
    """Return what links name a heading by."""
    return re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading.lower()))


class Written:
    """An annotation, or a default, that shows as it is written in the source.

    Args:
        text: that.
    """

    def __init__(self, text: str):
        self.text = text

    def __repr__(self) -> str:
        return self.text


def signature(name: str, function: Callable[..., object]) -> str:
    """Return how `function` is called: on one line, or with one argument a line."""
    words: list[str] = []
    keywords = False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if isinstance(parameter.annotation, str):
            parameter = parameter.replace(annotation=Written(parameter.annotation))
        if parameter.default is not parameter.empty and str(parameter.default).startswith("<"):  # made by a function
            parameter = parameter.replace(default=Written("…"))
        if parameter.kind is parameter.KEYWORD_ONLY and not keywords:
            words.append("*")
        keywords = keywords or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        words.append(str(parameter))
    result = inspect.signature(function).return_annotation
    silent = isinstance(function, type) or result is inspect.Signature.empty
    gives = "" if silent else f" -> {result if isinstance(result, str) else inspect.formatannotation(result)}"
    line = f"{name}({', '.join(words)}){gives}"
    return line if len(line) <= 100 else f"{name}(\n" + "".join(f"    {word},\n" for word in words) + f"){gives}"


SECTION = re.compile(r"(?:Args|Attributes|Class attributes|Raises|Returns|Yields):")


def docstring(text: str) -> str:
    """Return a docstring as Markdown: sections as lists, examples as code."""
    parts: list[str] = []
    blocks = re.split(rf"\n{{2,}}|\n(?={SECTION.pattern}\n)", inspect.cleandoc(text))
    for block in blocks:
        lines = block.split("\n")
        if lines[0].startswith(">>>"):
            parts.append("```pycon\n" + block + "\n```")
        elif SECTION.fullmatch(lines[0]):
            parts.append(f"**{lines[0].removesuffix(':')}**")
            parts.append(items(textwrap.dedent("\n".join(lines[1:])), plain=lines[0] in ("Returns:", "Yields:")))
        elif lines[0].startswith(("* ", "- ")):
            parts.append(block)
        elif lines[0].startswith("    "):
            parts.append("```text\n" + textwrap.dedent(block) + "\n```")
        else:
            parts.append(filled(block))
    return "\n\n".join(parts)


def items(text: str, *, plain: bool) -> str:
    """Return the lines below a section's head: a list of what is named there, or a paragraph."""
    if plain:
        return filled(text)
    found: list[str] = []
    for line in text.split("\n"):
        if line.startswith(" ") and found:
            found[-1] += " " + line.strip()
        else:
            found.append(line)
    lines = []
    for item in found:
        name, colon, rest = item.partition(": ")
        line = f"* `{name}`: {rest}" if colon and " " not in name.replace(", ", "") else f"* {item}"
        lines.append(listed(line))
    return "\n".join(lines)


def methods(owner: type) -> Iterator[str]:
    """Yield the public methods and properties that a class defines itself and says something about."""
    for name, value in vars(owner).items():
        if name.startswith("_"):
            continue
        if isinstance(value, property):
            if value.__doc__:
                yield f"#### `{owner.__name__}.{name}`\n\n{docstring(value.__doc__)}"
            continue
        function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if inspect.isfunction(function) and function.__doc__:
            call = signature(name, function)
            yield f"#### `{owner.__name__}.{name}`\n\n```python\n{call}\n```\n\n{docstring(function.__doc__)}"


def heading(module: str, name: str) -> str:
    """Return the heading of a public name: no two are the same but for their capitals."""
    kind = "class " if isinstance(getattr(import_module(module), name), type) else ""
    return f"`{kind}{module}.{name}`"


def entry(module: str, name: str) -> Iterator[str]:
    """Yield the parts that describe a public name."""
    value = getattr(import_module(module), name)
    full = f"{module}.{name}"
    yield f"### {heading(module, name)}"
    if name in CONSTANTS:
        yield CONSTANTS[name]
        return
    if isinstance(value, type) and issubclass(value, BaseException):
        yield f"Below {', '.join(f'`{base.__name__}`' for base in value.__bases__)}."
    elif callable(value):
        yield f"```python\n{signature(full, value)}\n```"
    assert value.__doc__, f"{full} has no docstring"
    yield docstring(value.__doc__)
    if isinstance(value, type):
        yield from methods(value)


def api_page() -> str:
    """Return the reference of the library.

    Raises:
        SystemExit: a public name is missing here.
    """
    import nzip

    named = {name for _, module, names in API if module == "nzip" for name in names}
    if missing := set(nzip.__all__) ^ named:
        raise SystemExit(f"docs/make_reference.py and nzip.__all__ differ in {', '.join(sorted(missing))}")
    parts = ["# The library", MADE.format(source="docstrings"), "\n".join(contents())]
    chapters: list[str] = []
    for chapter, module, names in API:
        if chapter not in chapters:
            chapters.append(chapter)
            parts.append(f"## {chapter}")
        for name in names:
            parts.extend(entry(module, name))
    return "\n\n".join(parts) + "\n"


def contents() -> Iterator[str]:
    """Yield a line for each chapter, with its names."""
    by_chapter: dict[str, list[str]] = {}
    for chapter, module, names in API:
        by_chapter.setdefault(chapter, []).extend(f"[`{name}`](#{anchor(heading(module, name))})" for name in names)
    for chapter, links in by_chapter.items():
        yield listed(f"* {chapter}: {', '.join(links)}")


PAGES = {"reference/CLI.md": cli_page, "reference/API.md": api_page}


def main() -> int:
    """Write the pages, or say which are stale."""
    parser = argparse.ArgumentParser(description="Make the reference pages from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page is stale")
    check = parser.parse_args().check
    stale = 0
    for name, make in PAGES.items():
        page, text = HERE / name, make()
        if page.is_file() and page.read_text("utf-8") == text:
            continue
        stale += 1
        print(f"docs/{name}: {'stale; run python docs/make_reference.py' if check else 'written'}")
        if not check:
            page.write_text(text, encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
