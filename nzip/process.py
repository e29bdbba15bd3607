"""What must be whole in a process, whatever interrupts or forks it: locks and imported modules.

A fork copies every lock, but of the threads only the one that forks. So a lock of `lock` is free in the child unless
that thread holds it itself; what it guards is changed in one step. Where that is not so, in what imports modules and
compiles kernels, the fork waits for the end of the work.
"""

from __future__ import annotations

import logging as logging  # its lock is taken for a fork too, and must be after ours
import os
import sys
import threading
import weakref
from importlib import import_module
from typing import Any

PATIENCE = 60.0  # seconds that a fork waits for each of what is imported and compiled

_locks: weakref.WeakSet[Any] = weakref.WeakSet()
_forking = threading.local()
_whole: set[str] = set()  # modules that were imported to their end


def lock() -> threading.RLock:
    """Return a new lock that no thread of a parent holds in a forked process."""
    made = threading.RLock()
    _locks.add(made)
    return made


making = lock()  # held while a kernel is compiled or loaded; a fork waits for it
_importing = lock()


def imported(*names: str) -> None:
    """Import modules so that an interrupt leaves none half imported, which some do not survive.

    Exceptions of signals are raised in the main thread, so another one imports.

    Args:
        names: full names of modules.

    Raises:
        ImportError: there is no such module.
    """
    for name in names:
        if name not in _whole:
            _import(name)


def _import(name: str) -> None:
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with _importing:
                import_module(name)
            _whole.add(name)
        except BaseException as error:
            failed.append(error)

    if threading.current_thread() is threading.main_thread():
        thread = threading.Thread(target=work, name="nzip-import")
        try:
            thread.start()
        except RuntimeError:  # none can start: too many, or the program ends
            work()
        else:
            thread.join()
    else:
        work()
    if failed:
        raise failed[0]


def _before_fork() -> None:
    held = _forking.held = []
    compiler = getattr(sys.modules.get("numba.core.compiler_lock"), "global_compiler_lock", None)
    for each in (making, _importing, getattr(compiler, "_lock", None)):
        if each is not None and each.acquire(timeout=PATIENCE):
            held.append(each)


def _after_fork() -> None:
    for each in reversed(_forking.__dict__.pop("held", [])):
        each.release()


def _in_child() -> None:
    for each in list(_locks):
        if not each._is_owned():
            each._at_fork_reinit()
    _after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)
