"""`nzip info`: all that a file says about itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from nzip.cli import options
from nzip.cli.output import Report, bits_text, columns, ratio_text, shown, size_text

if TYPE_CHECKING:
    from nzip.codec.inspect import BlockInfo, FileInfo, MemberInfo


@click.command(short_help="Show all that a compressed file says about itself.")
@click.argument("file", type=options.ANY_PATH)
@options.json_option
def command(file: str, as_json: bool) -> None:
    """Show the members, header fields and blocks of FILE, and the memory that decoding needs."""
    from nzip.codec.files import FileError, refuse_unreadable
    from nzip.codec.inspect import inspect

    report = Report("info", as_json=as_json)

    def one(name: str) -> None:
        if name == "-":
            raise FileError("stdin", "cannot be inspected: that needs a file; save it first")
        refuse_unreadable(name)
        info = inspect(name)
        if as_json:
            report.json({"ok": True, "source": name, **info.to_dict()})
            return
        for line in _lines(info):
            click.echo(line)

    report.each((file,), one)


def _lines(info: FileInfo) -> list[str]:
    memory = max((b.memory + b.raw_size + b.payload_size for b in info.blocks), default=0)
    lines = [
        f"file            {shown(info.path or '')}",
        f"format version  {info.members[0].format_version}",
        f"compressed      {info.size:,} bytes",
        f"content         {info.raw_size:,} bytes",
        f"ratio           {ratio_text(info.size, info.raw_size)}, {bits_text(info.size, info.raw_size)} bits/byte",
        f"memory          {size_text(memory)} to decode one block",
    ]
    for number, member in enumerate(info.members, 1):
        lines += ["", *_member(number, member)]
    return lines


def _member(number: int, member: MemberInfo) -> list[str]:
    header = member.header
    lines = [f"member {number} at byte {member.offset:,}: {member.size:,} -> {member.raw_size:,} bytes"]
    if header.name is not None:
        lines.append(f"  name   {shown(header.name)}")
    if header.mode is not None:
        lines.append(f"  mode   {header.mode:04o}")
    if header.mtime_ns is not None:
        lines.append(f"  mtime  {_time_text(header.mtime_ns)}")
    if header.kind is not None:
        lines.append(f"  kind   {header.kind}")
    if member.content_check is not None:
        lines.append(f"  check  {member.content_check:016x}")
    rows = [("  block at", "compressed", "content", "ratio", "engine", "transforms", "memory", "check")]
    for block in member.blocks:
        rows.append(
            (
                f"  {block.offset:,}",
                f"{block.size:,}",
                f"{block.raw_size:,}",
                ratio_text(block.size, block.raw_size),
                _engine(block),
                ", ".join(name for name, _, _ in block.transforms) or "-",
                size_text(block.memory),
                f"{block.header.check:016x}",
            )
        )
    return lines + columns(rows, left=(0, 4, 5))


def _engine(block: BlockInfo) -> str:
    params = "".join(f" {key}={value}" for key, value in (block.params or {}).items())
    return f"{block.engine} v{block.engine_version}{params}"


def _time_text(mtime_ns: int) -> str:
    try:
        return datetime.fromtimestamp(mtime_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):
        return f"{mtime_ns} ns"
