"""Where programs come from: a file of JSON lines, a command, a Python function, or our own search.

Every solver is asked the same, a dictionary `{"id": …, "modality": …, "sequence": [numbers], "prompt": text}`, and
answers with `{"program": text, "language": "python" or "dsl"}`, with the text alone, or with nothing. What goes wrong
on the way is an `Answer` without a program that says why; it costs its sequence, never the run.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nzip.errors import NzipError
from nzip.evaluation.data.json_lines import JsonLines
from nzip.evaluation.harness.outputs import AnyPath
from nzip.evaluation.measures.kolmogorov.sources import Modality

PYTHON, DSL = "python", "dsl"
LANGUAGES = (PYTHON, DSL)
SECONDS = 120.0  # for one answer of a command
LONGEST_LINE = 4 << 20  # bytes of an answer
LOST = 3  # answers in a row that a command may fail to give before it is asked no more

PROMPT = """\
Here is a sequence of {count} integers from 0 to 255:
{numbers}
Write the shortest Python program you can find that makes exactly this sequence. Leave it, as a list of integers, in a
variable named output. Print nothing, read nothing, and import nothing but the standard library's mathematics. Write the
program in lines, without comments, and end it with a line that holds ### alone.
"""


@dataclass(frozen=True)
class Answer:
    """A program and its language; or none, and in `failure` its kind and the reason."""

    program: str | None = None
    language: str = PYTHON
    failure: tuple[str, str] | None = None


def request(modality: Modality, at: int, sequence: bytes) -> dict[str, Any]:
    """Return what a solver is asked about sequence number `at`."""
    numbers = list(sequence)
    prompt = PROMPT.format(count=len(numbers), numbers=" ".join(map(str, numbers)))
    return {"id": f"{modality.key}:{at}", "modality": modality.key, "sequence": numbers, "prompt": prompt}


def cleaned(program: str) -> str:
    """Return a program without what models write around it: a fence of backquotes, and all from a line `###` on."""
    lines = program.replace("\r\n", "\n").split("\n")
    fences = [at for at, line in enumerate(lines) if line.startswith("```")]
    if fences:
        lines = lines[fences[0] + 1 : fences[1] if len(fences) > 1 else len(lines)]
    for at, line in enumerate(lines):
        if line.strip() == "###":
            lines = lines[:at]
            break
        if line.endswith("###"):
            lines = [*lines[:at], line[:-3]]
            break
    return "\n".join(lines).strip("\n").rstrip()


def read_answer(value: Any) -> Answer:
    """Return the answer that a value, as a solver gave it, stands for."""
    if value is None:
        return Answer(failure=("missing", "no program"))
    if isinstance(value, str):
        value = {"program": value}
    if not isinstance(value, Mapping):
        return Answer(failure=("answer", f"is a {type(value).__name__}, not a program"))
    program, language = value.get("program"), value.get("language", PYTHON)
    if program is None:
        return Answer(failure=("missing", "no program"))
    if not isinstance(program, str):
        return Answer(failure=("answer", 'its "program" is no string'))
    if language not in LANGUAGES:
        return Answer(failure=("answer", f'its "language" is not one of {", ".join(LANGUAGES)}'))
    return Answer(cleaned(program), language)


# A file


def read_programs(path: AnyPath, modalities: Sequence[Modality]) -> tuple[dict[str, Answer], list[str]]:
    """Return the answers of a file of JSON lines by the sequence's id, and notes on lines that were left out.

    An id is what the export says (`"text:17"`), or the number alone where there is but one modality.

    Raises:
        NzipError: the file cannot be read, or holds no answer.
    """
    counts = {modality.key: -(-len(modality.data) // modality.length) for modality in modalities}
    seen: set[str] = set()

    def name(value: Mapping[str, Any]) -> str | None:
        found = value.get("id")
        if isinstance(found, int) and not isinstance(found, bool):
            key = value.get("modality", next(iter(counts)) if len(counts) == 1 else None)
            return None if key is None else f"{key}:{found}"
        return found if isinstance(found, str) else None

    def check(value: Mapping[str, Any]) -> str | None:
        found = name(value)
        if found is None:
            return 'has no "id" that names a sequence, as "text:17"'
        key, _, number = found.partition(":")
        if not number.isdecimal() or not int(number) < counts.get(key, 0):
            return f"there is no sequence {found!r}"
        if found in seen:
            return f"the second answer for {found!r}"
        seen.add(found)
        problem = read_answer(value).failure
        return problem[1] if problem is not None and problem[0] == "answer" else None

    lines = JsonLines(path, check)
    answers = {str(name(value)): read_answer(value) for _, value in lines}
    if not answers:
        reason = f": {lines.problems[0][1]} (line {lines.problems[0][0]})" if lines.problems else ""
        raise NzipError(f"{os.fspath(path)}: no line holds a program for these sequences{reason}")
    return answers, lines.notes()


# A command


class Command:
    """A program that reads a JSON line for each sequence and writes a JSON line for each program.

    It is started once. One that dies, or does not answer in time, is killed and started again for the next sequence;
    after LOST such losses in a row it is asked no more.

    Args:
        command: words as for a shell; none is run.
        seconds: for one answer.

    Raises:
        NzipError: it cannot be started.
    """

    def __init__(self, command: str, seconds: float = SECONDS) -> None:
        self.words = split(command)
        self.seconds = seconds
        self.lost = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            try:
                self._process = subprocess.Popen(
                    self.words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=os.name == "posix"
                )
            except OSError as error:
                raise NzipError(f"{self.words[0]}: cannot run it: {error.strerror or error}") from None
        return self._process

    def ask(self, question: Mapping[str, Any]) -> Answer:
        """Return the answer to one question."""
        if self.lost >= LOST:
            return Answer(failure=("command", f"not asked: it failed {LOST} times in a row"))
        process = self._start()
        assert process.stdin
        assert process.stdout
        late = threading.Event()

        def stop() -> None:
            late.set()
            _kill(process)

        timer = threading.Timer(self.seconds, stop)  # whatever blocks below ends when the command does
        timer.start()
        line = b""
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline(LONGEST_LINE)
        except OSError:
            pass
        finally:
            timer.cancel()
            timer.join()
        if late.is_set() or not line.endswith(b"\n"):
            self.close(now=True)
            self.lost += 1
            if late.is_set():
                return Answer(failure=("command", f"no answer in {self.seconds:g} s"))
            status = process.returncode
            reason = "an answer longer than 4 MiB" if len(line) >= LONGEST_LINE else f"it ended with status {status}"
            return Answer(failure=("command", reason))
        self.lost = 0
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return Answer(failure=("answer", "is no line of JSON"))
        if isinstance(value, Mapping) and value.get("id", question["id"]) != question["id"]:
            return Answer(failure=("answer", f"is for {value['id']!r:.40}"))
        return read_answer(value)

    def close(self, *, now: bool = False) -> None:
        """End the command: its input ends, and if it does not by itself in 5 seconds, or `now`, it is killed."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdout
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1 if now else 5)  # one that died has its own status to tell
        _kill(process)
        process.wait()
        process.stdout.close()


def split(command: str) -> list[str]:
    """Return the words of a command.

    Raises:
        NzipError: it has none, or a quote is left open.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise NzipError(f"the command {command!r} cannot be read: {error}") from None
    if not words:
        raise NzipError("the command is empty; name a program that answers sequences with programs")
    return words


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


# A function


def load_function(name: str) -> Callable[[dict[str, Any]], Any]:
    """Return the function that `MODULE:FUNCTION` or `FILE.py:FUNCTION` names.

    Raises:
        NzipError: there is none.
    """
    place, _, attribute = name.rpartition(":")
    if not place or not attribute.isidentifier():
        raise NzipError(f"{name}: write a function as MODULE:FUNCTION or FILE.py:FUNCTION")
    try:
        if place.endswith(".py"):
            spec = importlib.util.spec_from_file_location(Path(place).stem, place)
            if spec is None or spec.loader is None or not Path(place).is_file():
                raise NzipError(f"{place}: no such file")
            module = importlib.util.module_from_spec(spec)
            sys.modules.setdefault(Path(place).stem, module)
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(place)
        found = getattr(module, attribute, None)
    except NzipError:
        raise
    except Exception as error:
        raise NzipError(f"{name}: cannot load it: {type(error).__name__}: {error}") from None
    if not callable(found):
        raise NzipError(f"{name}: there is no function {attribute} in {place}")
    function: Callable[[dict[str, Any]], Any] = found
    return function


def ask_function(function: Callable[[dict[str, Any]], Any], question: dict[str, Any]) -> Answer:
    """Return the answer of a function; what it raises is an answer that is no good."""
    try:
        return read_answer(function(question))
    except Exception as error:
        return Answer(failure=("answer", f"{type(error).__name__}: {error}"[:200]))


def fingerprint(name: str) -> str:
    """Return what tells a function from a later version of it, as far as its file can."""
    place = name.rpartition(":")[0]
    try:
        return hashlib.sha256(Path(place).read_bytes()).hexdigest() if place.endswith(".py") else place
    except OSError:
        return place


# Our own search


def search(sequence: bytes, effort: int | None) -> Answer:
    """Return the program in the language of `dsl` that the search finds."""
    from nzip.evaluation.measures.kolmogorov.search import EFFORT
    from nzip.evaluation.measures.kolmogorov.search import search as find

    program = find(sequence, effort=EFFORT if effort is None else effort)
    return Answer(failure=("missing", "no program")) if program is None else Answer(str(program), DSL)
