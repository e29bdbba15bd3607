"""Compressors that are programs of the user's: a command line with `{in}` and `{out}` is a codec like any other.

A template is split as a POSIX shell would (`shlex`), and no shell runs it. Each run has a temporary folder of its own
as working directory, with the input in it; its standard input is empty and what it prints is not looked at, but for the
last line of its complaints when it fails.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nzip.errors import NzipError
from nzip.evaluation.compressors.codec import Codec

PLACES = ("{in}", "{out}")
TIMEOUT = 600.0  # seconds
LAST_WORDS = 1 << 16  # bytes of complaints that are looked at


@dataclass(frozen=True)
class Command:
    """A command line.

    Attributes:
        words: program and arguments; `{in}` and `{out}` in them become paths.
        timeout: seconds that a run may take.
    """

    words: tuple[str, ...]
    timeout: float = TIMEOUT

    @classmethod
    def parse(cls, template: str, timeout: float = TIMEOUT) -> Command:
        """Split a template.

        Raises:
            ValueError: a quote is not closed, or `{in}` or `{out}` is missing.
        """
        try:
            words = tuple(shlex.split(template))
        except ValueError as error:
            raise ValueError(f"{template!r} cannot be split in words: {error}") from None
        for place in PLACES:
            if not any(place in word for word in words):
                raise ValueError(f"{template!r} lacks {place}; write it as 'PROGRAM {{in}} {{out}}'")
        return cls(words, timeout)

    def run(self, data: bytes) -> bytes:
        """Return what the command makes of `data`.

        Raises:
            NzipError: there is no such program, it fails, takes too long, or writes nothing.
        """
        program = shutil.which(self.words[0])
        if program is None:
            raise NzipError(f"there is no program {self.words[0]!r} here")
        with tempfile.TemporaryDirectory(prefix="nzip-") as name, tempfile.TemporaryFile() as complaints:
            source, target = Path(name, "in"), Path(name, "out")
            source.write_bytes(data)
            words = [word.replace("{in}", str(source)).replace("{out}", str(target)) for word in self.words[1:]]
            status = self._wait([os.path.abspath(program), *words], name, complaints)
            if status != 0:
                complaints.seek(max(0, complaints.seek(0, os.SEEK_END) - LAST_WORDS))
                lines = complaints.read().decode("utf-8", "replace").replace(name + os.sep, "").split("\n")
                last = next((" ".join(line.split()) for line in reversed(lines) if line.strip()), "")
                raise NzipError(last or f"ended with status {status}")
            if not target.is_file():
                raise NzipError("it wrote no file {out}")
            return target.read_bytes()

    def _wait(self, words: list[str], folder: str, complaints: IO[bytes]) -> int:
        try:
            process = subprocess.Popen(
                words,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                start_new_session=True,  # so that what it starts can be ended with it
            )
        except OSError as error:
            raise NzipError(f"cannot run {self.words[0]!r}: {error.strerror}") from None
        try:
            return process.wait(self.timeout)
        except subprocess.TimeoutExpired:
            raise NzipError(f"took more than {self.timeout:g} s; give it more with --timeout") from None
        finally:
            if process.poll() is None:
                _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


@dataclass(frozen=True)
class Encoder:
    """A command as `Codec.compress`; a class, so that other processes can be sent it."""

    command: Command

    def __call__(self, data: bytes) -> bytes:
        return self.command.run(data)


@dataclass(frozen=True)
class Decoder:
    """A command as `Codec.decompress`."""

    command: Command | None

    def __call__(self, data: bytes, size: int) -> bytes:
        if self.command is None:
            raise NzipError("nobody said how to decompress it")
        return self.command.run(data)


@dataclass(frozen=True)
class CommandCodec(Codec):
    """A codec made of commands.

    Attributes:
        one_way: nobody said how to decompress, so no round trip can be checked.
    """

    one_way: bool = False


def _version(template: str) -> str:
    """Return the hash of a command's program: programs tell their versions in too many ways."""
    program = shutil.which(Command.parse(template).words[0])
    assert program is not None
    with open(program, "rb") as file:
        return f"program of SHA-256 {hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"


def command_codec(
    name: str, encode: str, decode: str | None = None, *, timeout: float = TIMEOUT, model_bytes: int = 0
) -> CommandCodec:
    """Return the codec that a command is.

    Args:
        name: what the results call it.
        encode: the template that compresses `{in}` to `{out}`.
        decode: the template that restores; None where there is none.
        timeout: seconds that a run may take.
        model_bytes: of the data that it has beside the program.

    Raises:
        ValueError: a template is no good.
        NzipError: there is no such program.
    """
    commands = [None if text is None else Command.parse(text, timeout) for text in (encode, decode)]
    for command in commands:
        if command is not None and shutil.which(command.words[0]) is None:
            raise NzipError(f"{name}: there is no program {command.words[0]!r} here; install it, or write its path")
    assert commands[0] is not None
    settings = encode if decode is None else f"{encode}; back: {decode}"
    return CommandCodec(
        name,
        "command",
        _version(encode),
        settings,
        Encoder(commands[0]),
        Decoder(commands[1]),
        external=True,
        model_bytes=model_bytes,
        one_way=decode is None,
    )

