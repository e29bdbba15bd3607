"""What a machine does with pictures and sounds, as `nzip eval perception` asks it: the user's tasks, and two of ours.

A task is named `MODULE:NAME` or `FILE.py:NAME`. NAME is one of:

* a function `(signal, item) -> number`: the score of one picture or sound, `nzip.Image` or `nzip.Audio`. A set's
  score is the mean.
* a class that takes no arguments, or an object, with `score(signal, item) -> number`, the same with a memory.
* one with `answer(signal, item) -> answer` and `total(answers, items) -> number`, where only the whole set has a score
  (accuracy balanced over classes, mean intersection over union, word error rate). An answer is what JSON can hold.

It may also have:

* `prepare(items)`, called once in each process with all the undistorted signals, before anything else;
* `kind`, `"image"` or `"audio"`, where it is for one of them;
* `less`, true where a smaller score is better;
* `title`, what tables and plots call the score.

`item` says what is looked at: `path`, `label` (of `--labels`, or None), `sha256`, `original()` (the undistorted
signal). The same signal and item must get the same score, whatever came before: work is done in any order and in any
process.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import json
import math
import numbers
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.errors import NzipError
from nzip.evaluation.data.signals import KINDS, Signal
from nzip.evaluation.distortion.audio import log_mel
from nzip.evaluation.harness.jobs import said
from nzip.formats.signals.base import Audio, Image
from nzip.formats.signals.resample import resample

Doubles = NDArray[np.float64]

PIECE = 1.0  # seconds
RATE = 16_000
SLOTS = 8  # of a piece
COEFFICIENTS = 12


class TaskError(NzipError):
    """A task cannot be used, or failed."""


@dataclass(frozen=True)
class Item:
    """A file of the set that a task is asked about.

    Attributes:
        path: what the results call it.
        kind: `"image"` or `"audio"`.
        label: of the file; None where none was given.
        sha256: of the file.
        location: where it lies.
    """

    path: str
    kind: str
    label: str | None
    sha256: str
    location: str

    def original(self) -> Signal:
        """Read the undistorted signal: a picture as uint8 (H, W, 3), or a sound as float32 (C, T).

        Raises:
            NzipError, OSError: it cannot be read any more.
        """
        from nzip.evaluation.data.signals import load

        return load(self.location)


class Task:
    """A task that was found, in one shape whatever it is made of.

    Attributes:
        name: as it was asked for.
        title: what its score is called.
        kind: of the signals that it is for; None for both.
        less: whether a smaller score is better.
        whole: whether only the whole set has a score.
        identity: a hash of its code, by which a journal knows it again.
    """

    def __init__(self, name: str, found: Any, identity: str) -> None:
        """Take what `MODULE:NAME` stands for.

        Raises:
            TaskError: it is no task.
        """
        self.name, self.identity = name, identity
        if inspect.isclass(found):
            try:
                found = found()
            except Exception as error:
                raise TaskError(f"{name}: cannot be made: {said(error)}") from None
        self._task = found
        self.whole = callable(getattr(found, "answer", None)) and callable(getattr(found, "total", None))
        score = getattr(found, "score", found)
        if not self.whole and not callable(score):
            raise TaskError(
                f"{name}: is no task; make it a function (signal, item), or a class with score(signal, item), or with "
                "answer(signal, item) and total(answers, items)"
            )
        self._ask: Callable[[Signal, Item], Any] = found.answer if self.whole else score
        self.kind = getattr(found, "kind", None)
        if self.kind not in (None, *KINDS):
            raise TaskError(f"{name}: its kind is {self.kind!r}; make it 'image' or 'audio', or leave it out")
        self.less = bool(getattr(found, "less", False))
        self.title = str(getattr(found, "title", name.rpartition(":")[2]))

    def prepare(self, items: Sequence[Item]) -> None:
        """Let the task look at the undistorted signals.

        Raises:
            TaskError: it failed.
        """
        prepare = getattr(self._task, "prepare", None)
        if prepare is not None:
            try:
                prepare(items)
            except Exception as error:
                raise TaskError(f"{self.name}: cannot prepare: {said(error)}") from None

    def ask(self, signal: Signal, item: Item) -> Any:
        """Return the score of a signal, a finite number; or the answer where only the whole set has a score.

        Raises:
            TaskError: the task failed, or gave back something else.
        """
        try:
            given = self._ask(signal, item)
        except Exception as error:
            raise TaskError(f"{self.name}, {item.path}: {said(error)}") from None
        if not self.whole:
            return self._number(given, f", {item.path}")
        try:
            return json.loads(json.dumps(given, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise TaskError(f"{self.name}, {item.path}: its answer is nothing that JSON holds: {error}") from None

    def total(self, answers: Sequence[Any], items: Sequence[Item]) -> float:
        """Return the score of answers, or the mean of scores.

        Raises:
            TaskError: the task failed, or gave back no number.
        """
        if not self.whole:
            return float(np.mean(answers))
        try:
            given = self._task.total(list(answers), list(items))
        except Exception as error:
            raise TaskError(f"{self.name}: cannot make a total: {said(error)}") from None
        return self._number(given, "")

    def _number(self, given: Any, where: str) -> float:
        if isinstance(given, np.ndarray) and given.ndim == 0:
            given = given[()]
        if not isinstance(given, numbers.Real | np.bool_) or not math.isfinite(given):
            raise TaskError(f"{self.name}{where}: gave {given!r:.60} in place of a finite number")
        return float(given)


def find(name: str) -> Task:
    """Return a task: one of `BUILT_IN`, or `MODULE:NAME`, or `FILE.py:NAME`.

    Raises:
        TaskError: there is none, or it cannot be imported.
    """
    if name in BUILT_IN:
        return Task(name, BUILT_IN[name], hashlib.sha256(Path(__file__).read_bytes()).hexdigest())
    place, colon, attribute = name.rpartition(":")
    if not colon or not place or not attribute:
        known = ", ".join(BUILT_IN)
        raise TaskError(f"{name}: is no task; write MODULE:NAME or FILE.py:NAME, or one of {known}")
    module = _from_file(place) if place.endswith(".py") else _from_path(place)
    found: Any = module
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise TaskError(f"{place}: has no {attribute}; name a function or class of it")
    source = getattr(module, "__file__", None)
    code = Path(source).read_bytes() if source and os.path.isfile(source) else place.encode()
    return Task(name, found, hashlib.sha256(code).hexdigest())


def _from_file(place: str) -> ModuleType:
    if not os.path.isfile(place):
        raise TaskError(f"{place}: no such file")
    spec = importlib.util.spec_from_file_location(f"nzip_task_{Path(place).stem}", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise TaskError(f"{place}: cannot be imported: {said(error)}") from None
    return module


def _from_path(place: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except Exception as error:
        raise TaskError(f"{place}: cannot be imported: {said(error)}") from None


# Built in


class Agreement:
    """Whether EfficientNet-lite0 names the same of 1,000 classes as in the original; a set's score is the share."""

    kind = "image"
    title = "top-1 agreement"

    def __init__(self) -> None:
        """Read the network.

        Raises:
            UnsupportedError: torch or the weights are not installed.
        """
        from nzip.evaluation.distortion.efficientnet import network

        self._network = network()
        self._own: dict[str, int] = {}

    def score(self, signal: Image, item: Item) -> float:
        """Return 1 or 0."""
        if item.sha256 not in self._own:
            original = item.original()
            assert isinstance(original, Image)
            self._own[item.sha256] = self._network.answer(original.pixels)[0]
        return float(self._network.answer(signal.pixels)[0] == self._own[item.sha256])


class Identify:
    """Which second of which file of the set is this? A fingerprint's task, by mel-frequency cepstra.

    Every sound of the set, undistorted, is cut in pieces of a second. A piece of a distorted one is taken for the
    undistorted piece whose cepstra are nearest (Euclid), of all files; the score is the share of pieces that are taken
    for themselves. Cepstra (Davis and Mermelstein, IEEE Trans. ASSP 28, 1980): of the mean of the channels at 16 kHz,
    coefficients 1 to 12 of the cosine transform of the 64 mel bands in dB (`audio.log_mel`), each a mean over an
    eighth of the piece. Coefficient 0, the loudness, is left out. Where two pieces of the set are the same, as in a
    loop, the first is named, so an undistorted sound may score less than 1.
    """

    kind = "audio"
    title = "pieces identified"

    def prepare(self, items: Sequence[Item]) -> None:
        """Learn the pieces of all sounds."""
        pieces, owners = [], []
        for number, item in enumerate(items):
            sound = item.original()
            assert isinstance(sound, Audio)
            cepstra = fingerprints(sound)
            pieces.append(cepstra)
            owners += [(number, at) for at in range(len(cepstra))]
        self._pieces = np.concatenate(pieces)  # (all pieces, SLOTS * COEFFICIENTS)
        self._owners = owners
        self._numbers = {item.path: number for number, item in enumerate(items)}

    def score(self, signal: Audio, item: Item) -> float:
        """Return the share of pieces that are known again."""
        number = self._numbers[item.path]
        cepstra = fingerprints(signal)
        right = 0
        for at, own in enumerate(cepstra):
            nearest = int(np.argmin(np.square(self._pieces - own).sum(axis=1)))
            right += self._owners[nearest] == (number, at)
        return right / len(cepstra)


def fingerprints(sound: Audio) -> Doubles:
    """Return the cepstra of each second of a sound, float64 (pieces, 96); a rest under half a second is left out."""
    mono = sound.samples.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)  # (1, T)
    mono = resample(mono, sound.rate, RATE)
    step = int(PIECE * RATE)
    count = max(1, (mono.shape[1] + step // 2) // step)
    bands = np.arange(64)
    # The cosine transform (DCT-II), orthonormal.
    waves = np.cos(np.pi / 64 * (bands[:, None] + 0.5) * np.arange(1, COEFFICIENTS + 1)) * math.sqrt(2 / 64)  # (64, 12)
    rows = []
    for at in range(count):
        mel = log_mel(mono[:, at * step : (at + 1) * step], RATE)[0]  # (frames, 64)
        cepstra = mel @ waves  # (frames, 12)
        edges = [slot * len(cepstra) // SLOTS for slot in range(SLOTS + 1)]
        slots = [cepstra[low : max(low + 1, high)].mean(axis=0) for low, high in pairwise(edges)]
        rows.append(np.concatenate(slots))
    return np.array(rows)


BUILT_IN: dict[str, Any] = {"agreement": Agreement, "identify": Identify}
