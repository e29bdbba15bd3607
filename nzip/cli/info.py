"""`nzip info`: all that a file says about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nzip.cli import options
from nzip.cli.list import SHOWN, inspected, more, opened
from nzip.cli.output.report import Report
from nzip.cli.output.words import bits_text, columns, digits, ratio_text, shown, significant, size_text, time_text

if TYPE_CHECKING:
    from nzip.codec.inspect import BlockInfo, FileInfo, MemberInfo

JSON_MEMORY = 2500  # bytes that a member or block takes as JSON


@click.command(short_help="Show all that a compressed file says about itself.")
@click.argument("file", type=options.ANY_PATH)
@options.json_option
def command(file: str, as_json: bool) -> None:
    """Show the members, header fields and blocks of FILE, and the memory that decoding needs.

    For - stdin is read, which must be a file (nzip info - < FILE) and not a pipe.

    Of a file with very many members or blocks the first 1,000 of each are shown; --json gives all.
    """
    from nzip.codec.blocks import Limits
    report = Report("info", as_json=as_json)

    def one(name: str) -> None:
        info = inspected(name)
        signals = _signals(name, info) if name != "-" else {}
        if as_json:
            entries = len(info.blocks) + len(info.members)
            Limits().admit_memory(JSON_MEMORY * entries, f"JSON of {len(info.blocks):,} blocks")
            values = info.to_dict()
            if signals:
                values["ratio"] = None  # the content is latents; members have their rates
            for number, signal in signals.items():
                values["members"][number]["signal"] = signal
            report.json({"ok": True, "source": name, **values})
            return
        for line in _lines(info, signals):
            click.echo(line)

    report.each((file,), one)


def _signals(name: str, info: FileInfo) -> dict[int, dict[str, Any]]:
    """Return what members that stand for pictures or sounds say of them, by the member's number."""
    from nzip.codec.members import SIGNALS
    from nzip.settings import LATENTS

    found: dict[int, dict[str, Any]] = {}
    if not any(kind in SIGNALS for kind in info.kinds):
        return found
    for number, member in enumerate(info.members):
        if member.header.kind in SIGNALS and member.blocks and member.blocks[0].engine == LATENTS.engine:
            from nzip.codec.signals.records import describe

            signal = describe(name, member.blocks[0])
            found[number] = {**signal, **_rate(signal, member.size)}
    return found


def _lines(info: FileInfo, signals: dict[int, dict[str, Any]]) -> list[str]:
    lines = [
        f"file            {shown(info.path or '')}",
        f"format version  {info.members[0].format_version}",
        f"compressed      {info.size:,} bytes",
        f"content         {info.raw_size:,} bytes",
        *([] if signals else [_ratio(info)]),
        f"memory          {size_text(info.memory)} to decode one block",
    ]
    for number, member in enumerate(info.members[:SHOWN]):
        lines += ["", *_member(number + 1, member, signals.get(number))]
    return lines + more(len(info.members), "member", "")


def _ratio(info: FileInfo) -> str:
    return f"ratio           {ratio_text(info.size, info.raw_size)}, {bits_text(info.size, info.raw_size)} bits/byte"


def _rate(signal: dict[str, Any], size: int) -> dict[str, float]:
    """Return how many bits a picture or sound takes, in a member of `size` bytes."""
    if signal["signal"] == "image":
        height, width = signal["size"]
        return {"bits_per_pixel": significant(8 * size / (height * width))} if height and width else {}
    length = signal["size"][0] / signal["rate"]
    return {"kbps": significant(8 * size / length / 1000)} if length else {}


def _signal(signal: dict[str, Any]) -> list[str]:
    size, channels = signal["size"], f"{signal['channels']} channel{'s' if signal['channels'] > 1 else ''}"
    if signal["signal"] == "image":
        what = f"{size[1]:,} x {size[0]:,} pixels, {channels} of {signal['bits']} bits"
    else:
        what = f"{size[0]:,} samples at {signal['rate']:,} Hz, {channels}"
    model = signal["model"] + ("" if signal["here"] else " (not here)")
    settings = ",".join(map(str, signal["settings"]))
    lines = [f"  from   {signal['format']}, {what}", f"  codec  {signal['codec']} at {settings}, model {model}"]
    for key, unit in (("bits_per_pixel", "bits/pixel"), ("kbps", "kbit/s")):
        lines += [f"  rate   {digits(signal[key])} {unit}"] if key in signal else []
    return lines + ([f"  side   {signal['side']:,} bytes that are kept exactly"] if signal["side"] else [])


def _member(number: int, member: MemberInfo, signal: dict[str, Any] | None) -> list[str]:
    header = member.header
    lines = [f"member {number} at byte {member.offset:,}: {member.size:,} -> {member.raw_size:,} bytes"]
    if header.name is not None:
        lines.append(f"  name   {shown(header.name)}")
    if header.mode is not None:
        lines.append(f"  mode   {header.mode:04o}")
    if header.mtime_ns is not None:
        lines.append(f"  mtime  {time_text(header.mtime_ns // 10**9)}")
    if header.kind is not None:
        lines.append(f"  kind   {header.kind}")
    if signal is not None:
        lines += _signal(signal)
    if member.content_check is not None:
        lines.append(f"  check  {member.content_check:016x}")
    rows = [("  block at", "compressed", "content", "ratio", "engine", "transforms", "memory", "check")]
    for block in member.blocks[:SHOWN]:
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
    shown_blocks = columns(rows, left=(0, 4, 5))
    lines.append(shown_blocks[0])
    for line, block in zip(shown_blocks[1:], member.blocks, strict=False):
        lines += [line, *opened(block, "    ")]
    return lines + more(len(member.blocks), "block", "  ")


def _engine(block: BlockInfo) -> str:
    params = "".join(f" {key}={value}" for key, value in (block.params or {}).items())
    return f"{block.engine} v{block.engine_version}{params}"
