"""`nzip list`: sizes and ratios, read from headers alone."""

from __future__ import annotations

import dataclasses
import stat
from typing import TYPE_CHECKING, Any

import click

from nzip.cli import options
from nzip.cli.output.report import Report
from nzip.cli.output.words import columns, ratio_text, shown, significant, time_text

if TYPE_CHECKING:
    from nzip.codec.inspect import BlockInfo, FileInfo
    from nzip.formats.container.entries import TreeEntry

SHOWN = 1000  # members of a file, and blocks of a member, that are shown each

@click.command(cls=options.Command, short_help="List sizes and ratios of compressed files.")
@options.files_argument
@click.option("--files", "entries", is_flag=True, help="List what is in archives; with -v modes, sizes and times too.")
@options.beside_read
@options.verbose_option
@options.json_option
def command(
    files: tuple[str, ...], entries: bool, like: str | None, primer: str | None, verbose: int, as_json: bool
) -> None:
    """List each FILE (stdin without FILE, or for -): compressed and decoded size, ratio, blocks, engines. Nothing is
    decoded, so stdin must be a file (nzip list < FILE) and not a pipe.

    With -v every member and its blocks stand below, and what was opened in a block: how often, what was inside, and
    what its parts came to. The content is not checked: nzip test does that.

    With --files each FILE is an archive, a packed directory or any tar archive that was compressed, and the files in it
    are listed by name. A packed directory has a table of them, which alone is decoded; of another archive all headers
    are, for which --like and --primer name what it needs.
    """
    from nzip.cli.habits import is_fed

    if not files and not is_fed():
        raise click.UsageError("missing argument: name a file, or feed one to stdin", click.get_current_context())
    if not entries and (like or primer):
        raise click.UsageError("--like and --primer go with --files; without it nothing is decoded")
    beside = options.known(like, primer)
    report = Report("list", verbose=verbose, as_json=as_json)
    if entries:
        report.each(options.inputs(files), lambda file: _files(file, report, beside))
        return
    infos: list[FileInfo] = []

    def one(file: str) -> None:
        info = inspected(file)
        infos.append(info)
        report.json({"ok": True, "source": file, **summary(info)})

    try:
        report.each(options.inputs(files), one)
    finally:
        if infos and not as_json:
            for line in _table(infos, verbose):
                click.echo(line)


def _files(name: str, report: Report, beside: dict[str, Any]) -> None:
    """Print what is in an archive."""
    from nzip.codec.files.trees.tree import list_tree
    from nzip.errors import FileError

    source: Any = options.stdin() if name == "-" else name
    if name == "-" and not source.seekable():
        raise FileError("stdin", "is a pipe, and archives are read here and there; save it to a file first")
    found = list_tree(source, **beside)
    if report.as_json:
        keys = ("name", "kind", "mode", "mtime", "size", "linkname")
        files = [{key: getattr(entry, key) for key in keys} for entry in found]
        report.json({"ok": True, "source": name, "files": files})
        return
    described = columns([_described(entry) for entry in found], left=(0, 2)) if report.verbose and found else []
    for number, entry in enumerate(found):
        line = shown(entry.name)
        if described:
            arrow = "link to" if entry.kind == "hard link" else "->"
            line = f"{described[number]}  {line}" + (f" {arrow} {shown(entry.linkname)}" if entry.linkname else "")
        click.echo(line)


def _described(entry: TreeEntry) -> tuple[str, str, str]:
    """Return mode, size and time of an entry, as `ls -l` shows them."""
    letters = {"file": stat.S_IFREG, "directory": stat.S_IFDIR, "link": stat.S_IFLNK, "hard link": stat.S_IFREG}
    mode = stat.filemode(letters.get(entry.kind, 0) | entry.mode)
    return mode, f"{entry.size:,}", time_text(entry.mtime)


def inspected(name: str) -> FileInfo:
    """Return what the file `name` holds; `-` is stdin.

    Raises:
        FileError: it is no regular file.
        NzipError, OSError: see `inspect`.
    """
    from nzip.codec.files.sources import refuse_unreadable
    from nzip.codec.inspect import inspect
    from nzip.errors import FileError

    if name != "-":
        refuse_unreadable(name)
        return inspect(name)
    stream = options.stdin()
    if not stream.seekable():
        raise FileError("stdin", "is a pipe, and headers are read here and there; save it to a file first")
    return dataclasses.replace(inspect(stream), path="stdin")


def summary(info: FileInfo) -> dict[str, Any]:
    """Return what `--json` says of a file."""
    header = info.members[0].header
    return {
        "raw_size": info.raw_size,
        "size": info.size,
        "ratio": None if _lossy(info) else significant(info.ratio),
        "members": len(info.members),
        "blocks": len(info.blocks),
        "engines": list(info.engines),
        "name": header.name,
        "kind": header.kind,
    }


def _table(infos: list[FileInfo], verbose: int) -> list[str]:
    rows: list[tuple[str, ...]] = [("compressed", "content", "ratio", "blocks", "engines", "file")]
    details: dict[int, list[str]] = {}
    for info in infos:
        engines = ", ".join(info.engines)
        rows.append(_row(info.size, info.raw_size, len(info.blocks), engines, info.path or "", _lossy(info)))
        if verbose:
            details[len(rows) - 1] = _details(info)
    if len(infos) > 1:
        size, raw_size = sum(i.size for i in infos), sum(i.raw_size for i in infos)
        blocks = sum(len(i.blocks) for i in infos)
        rows.append(_row(size, raw_size, blocks, "", f"{len(infos)} files", any(map(_lossy, infos))))
    lines = []
    for number, line in enumerate(columns(rows, left=(4, 5))):
        lines.append(line)
        lines += details.get(number, [])
    return lines


def _lossy(info: FileInfo) -> bool:
    """Whether there is a picture or sound in the file: its content is latents, and their ratio says nothing."""
    from nzip.codec.members import SIGNALS

    return any(kind in SIGNALS for kind in info.kinds)


def _row(size: int, raw_size: int, blocks: int, engines: str, name: str, lossy: bool) -> tuple[str, ...]:
    ratio = "lossy" if lossy else ratio_text(size, raw_size)
    return (f"{size:,}", f"{raw_size:,}", ratio, f"{blocks:,}", engines, shown(name))


def _details(info: FileInfo) -> list[str]:
    lines = []
    for number, member in enumerate(info.members[:SHOWN], 1):
        name = f", name {shown(member.header.name)}" if member.header.name else ""
        kind = f", kind {member.header.kind}" if member.header.kind else ""
        lines.append(
            f"  member {number} at byte {member.offset:,}: {member.size:,} -> {member.raw_size:,} bytes, "
            f"{len(member.blocks):,} block{'s' if len(member.blocks) != 1 else ''}{name}{kind}"
        )
        for block in member.blocks[:SHOWN]:
            lines.append(
                f"    block at {block.offset:,}: {block.size:,} -> {block.raw_size:,} bytes "
                f"(ratio {ratio_text(block.size, block.raw_size)}), {block.engine}"
                + (f", {block.copied:,} copied" if block.copied else "")
            )
            lines += opened(block, "      ")
        lines += more(len(member.blocks), "block", "    ")
    return lines + more(len(info.members), "member", "  ")


def opened(block: BlockInfo, indent: str) -> list[str]:
    """Return what was opened in a block and what became of it, a line each."""
    lines = []
    for opener in block.openers:
        times = f"{opener.times:,} time{'s' if opener.times != 1 else ''}"
        lines.append(f"{indent}opened: {opener.name}, {times}, {opener.inner_size:,} bytes inside")
    for part in block.parts:
        engine = ", ".join((part.engine, *part.transforms))
        streams = f", {part.streams:,} streams" if part.streams > 1 else ""
        ratio = ratio_text(part.size, part.raw_size)
        lines.append(f"{indent}part: {part.size:,} -> {part.raw_size:,} bytes (ratio {ratio}), {engine}{streams}")
    return lines


def more(count: int, word: str, indent: str) -> list[str]:
    """Return the line that stands for what is left out of `count` blocks or members: a file may hold very many."""
    if count <= SHOWN:
        return []
    return [f"{indent}and {count - SHOWN:,} more {word}{'s' if count - SHOWN > 1 else ''}"]
