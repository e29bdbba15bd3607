"""How signals end a command: at once, with no unfinished output left behind."""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import NoReturn

from nzip import _start
from nzip.cli.output.lines import INTERRUPTED, interrupted
from nzip.outputs import discard_unfinished, no_more_changes


class _Ending:
    """That the process was told to end, by the first signal; those after it are ignored.

    A signal handler may have interrupted any code of the main thread, which may hold any lock. So the handler takes
    none: it has another thread end the process, and the main thread goes on until that is done.
    """

    def __init__(self) -> None:
        self.begun = False
        self.waiting: threading.Event | None = None  # what the main thread waits for
        self.drawn = threading.Event()  # no bar is on the screen
        self.drawn.set()

    def hear(self, number: int, frame: object = None) -> None:
        """Handle a signal."""
        if self.begun:
            return
        self.begun = True
        no_more_changes()
        # Not SIG_IGN: of a signal that has come already Python would then complain.
        for one in _ending_signals("SIGINT", "SIGTERM", "SIGHUP"):
            if signal.getsignal(one) is not signal.SIG_IGN:
                signal.signal(one, self.hear)
        try:
            _thread.start_new_thread(self.end, (number,))
        except RuntimeError:  # no more threads
            self.end(number)

    def end(self, number: int) -> NoReturn:
        """End at once: no work is waited for, no unfinished output stays."""
        try:
            discard_unfinished()
            if self.waiting is not None:
                self.waiting.set()
                self.drawn.wait(1)
            if number == signal.SIGINT:
                interrupted()
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
        finally:
            os._exit(INTERRUPTED if number == signal.SIGINT else 128 + number)


ending = _Ending()


def _ending_signals(*names: str) -> list[signal.Signals]:
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


@contextlib.contextmanager
def ending_on(*names: str) -> Iterator[None]:
    """Let the signals with these names end the process at once, and remove its unfinished outputs before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _ending_signals(*names)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup, or a shell's &
            signal.signal(number, ending.hear)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None and not ending.begun:
                signal.signal(number, handler)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt: for work that ends processes of its own on its way out."""
    number = signal.SIGINT
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(number) != ending.hear:
        yield
        return
    signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(number, ending.hear)


def _as_before() -> None:
    """Let signals end a process that was forked from this one, as they would have without `ending_on`."""
    for number in _ending_signals("SIGINT", "SIGTERM", "SIGHUP"):
        if signal.getsignal(number) in (ending.hear, _start.end):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_as_before)
