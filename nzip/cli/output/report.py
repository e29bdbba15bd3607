"""What one run of a command says, file by file."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from nzip.cli.output.errors import describe, error_kind, in_options, remedy
from nzip.cli.output.lines import FAILED, complain, on_terminal, pipe_closed, say
from nzip.cli.output.progress import Tally
from nzip.cli.output.words import (
    bits_text,
    digits,
    ratio_text,
    seconds_text,
    shown,
    shown_input,
    significant,
    speed_text,
)
from nzip.entropy import jit

if TYPE_CHECKING:
    from nzip.codec.files.results import FileResult
    from nzip.codec.salvage.faults import Fault
    from nzip.models.base import Engine


class Report:
    """What one run of a command says, file by file.

    Args:
        command: its name.
        quiet: no lines but errors.
        verbose: how many -v.
        as_json: one JSON object a file on stdout, no lines but errors.
        bar: a bar may be drawn.
    """

    def __init__(
        self, command: str, *, quiet: bool = False, verbose: int = 0, as_json: bool = False, bar: bool = True
    ):
        self.command = command
        self.quiet = quiet
        self.verbose = verbose
        self.as_json = as_json
        self.failed = False
        self._prepared: set[str] = set()
        self.bar = bar and not quiet and not as_json and on_terminal(sys.stderr)

    def line(self, text: str) -> None:
        """Print a line to stderr, unless it is to be quiet."""
        if not self.quiet and not self.as_json:
            say(text)

    def json(self, values: dict[str, Any]) -> None:
        """Print an object to stdout if JSON was asked for."""
        if self.as_json:
            click.echo(json.dumps({"command": self.command, **values}))

    def fail(self, name: str, error: Exception) -> None:
        """Say what went wrong with the file `name`."""
        self.failed = True
        text = describe(error, name, read=self.command != "compress") + remedy(error, name, self.command)
        self.json({"ok": False, "source": name, "kind": error_kind(error), "error": text})
        complain(text)

    def lost(self, name: str, faults: Sequence[Fault]) -> None:
        """Say what is lost of the file `name`; the run then ends as one that failed."""
        for fault in faults:
            self.failed = True
            complain(f"{shown_input(name)}: {in_options(str(fault))}")

    def each(self, names: tuple[str, ...], work: Callable[[str], None]) -> None:
        """Do `work` for every name; one that fails does not keep the others from their turn."""
        for name in names:
            try:
                work(name)
            except BrokenPipeError:
                raise click.exceptions.Exit(pipe_closed()) from None
            except (click.ClickException, click.exceptions.Exit):
                raise
            except Exception as error:
                if os.environ.get("NZIP_DEBUG"):
                    raise
                self.fail(name, error)
        if self.failed:
            raise click.exceptions.Exit(FAILED)

    def preparing(self, tally: Tally) -> Callable[[Engine], None]:
        """Return a hook that prepares an engine, says so if that compiles, and keeps it out of the speed."""

        def prepare(engine: Engine) -> None:
            if engine.name in self._prepared:
                return
            told: list[str] = []

            def note(kernel: str) -> None:
                if not told and on_terminal(sys.stderr):
                    self.line(f"nzip: compiling engine {engine.name} for this machine (once) …")
                told.append(kernel)

            began = time.monotonic()
            with jit.compiling(note):
                engine.prepare()
            tally.started += time.monotonic() - began
            self._prepared.add(engine.name)

        return prepare

    def result(self, name: str, result: FileResult, *, compressing: bool, to_stdout: bool = False) -> None:
        """Print what was done with the file that was called `name` on the command line."""
        size, raw_size = result.size, result.raw_size
        values: dict[str, Any] = {
            "ok": not result.faults,
            "source": name,
            "target": result.target,
            "raw_size": raw_size,
            "size": size,
            **_rates(result),
            "seconds": round(result.seconds, 3),
            "members": result.members,
            "kind": result.kind,
            "removed": result.removed,
        }
        if result.faults:
            text = f"{shown_input(name)}: {in_options(str(result.faults[0]))}"
            faults = [dataclasses.asdict(fault) for fault in result.faults]
            values.update(kind="corrupt", error=text, faults=faults)
        if result.missing:
            self.failed = True
            text = f"{shown_input(name)}: holds nothing that answers to {', '.join(map(repr, result.missing))}"
            values.update(ok=False, kind="missing", error=text, missing=list(result.missing))
            complain(text)
        if result.entries:
            values["entries"] = result.entries
            values["skipped"] = list(result.skipped)
            if compressing:
                values["outside_links"] = result.outside
        self.json(values)
        for path in result.skipped:
            self.line(f"nzip: {shown(path)}: left out (a socket, device or pipe holds nothing to pack)")
        if result.outside:
            links = "1 link leads" if result.outside == 1 else f"{result.outside:,} links lead"
            self.line(
                f"nzip: {shown_input(name)}: {links} outside of the directory, which nzip decompress refuses; "
                "extract with --outside-links"
            )
        if result.target is None:
            self.line(f"{shown_input(name)}: intact, {size:,} -> {raw_size:,} bytes in {seconds_text(result.seconds)}")
            return
        if result.kind == "lossy" and size > raw_size:
            self.line(
                f"nzip: {shown_input(name)}: became larger, for it was packed well before; keep it, compress it "
                "without --lossy, or ask for less with --quality"
            )
        # Beside data on stdout, lines are only for those who ask for them.
        if to_stdout and not self.verbose:
            return
        if compressing:
            change = f"{raw_size:,} -> {size:,} bytes"
            if raw_size:
                change += f" ({_rates_text(result)})"
        else:
            change = f"{size:,} -> {raw_size:,} bytes"
        entries = f", {result.entries:,} {'entry' if result.entries == 1 else 'entries'}" if result.entries else ""
        gone = f" ({shown_input(name)} removed)" if result.removed else ""
        self.line(
            f"{shown_input(name)}: {change}{entries} in {seconds_text(result.seconds)} "
            f"-> {'stdout' if to_stdout else shown(result.target)}{gone}"
        )
        if self.verbose and raw_size:
            speed = speed_text(raw_size / max(result.seconds, 1e-9))
            members = f", {result.members:,} members" if result.members > 1 else ""
            self.line(f"  {speed}{members}")


def _rates(result: FileResult) -> dict[str, Any]:
    """Return what `--json` says of how small something became; of a lossy file no ratio, for the source was packed."""
    if result.kind in ("image", "audio", "files"):
        return {}
    if result.kind != "lossy":
        raw_size = result.raw_size
        bits = 8 * result.size / raw_size if raw_size else 0.0
        return {"ratio": significant(result.ratio), "bits_per_byte": significant(bits)}
    found = {"bits_per_pixel": result.bits_per_pixel, "kbps": result.kbps, "psnr": result.psnr}
    finite = {key: value for key, value in found.items() if value is not None and math.isfinite(value)}
    return {key: significant(value) for key, value in finite.items()}


def _rates_text(result: FileResult) -> str:
    if result.kind != "lossy":
        bits = bits_text(result.size, result.raw_size)
        return f"ratio {ratio_text(result.size, result.raw_size)}, {bits} bits/byte"
    rates = ((result.bits_per_pixel, "bits/pixel"), (result.kbps, "kbit/s"), (result.psnr, "dB"))
    return ", ".join(f"{digits(value)} {unit}" for value, unit in rates if value is not None)
