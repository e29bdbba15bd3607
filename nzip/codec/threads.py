"""How many threads to use, and work that is done in them.

A task that its thread cannot finish is done by who asks for its result: at the end of the program, when no thread can
start any more, and in a process that was forked, where the threads are not.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


def thread_count(threads: int) -> int:
    """Return the number of threads that `threads` asks for; 0 asks for one a core this process may use.

    Raises:
        ValueError: it is negative.
    """
    if threads < 0:
        raise ValueError(f"threads must be 0 or more, not {threads}")
    if threads:
        return threads
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def exclusive(lock: threading.RLock) -> threading.RLock:
    """Return `lock` for a `with`, for what must not be entered again by the thread that is in it: a signal's handler.

    Raises:
        RuntimeError: this thread holds it.
    """
    if lock._is_owned():  # type: ignore[attr-defined]
        raise RuntimeError("reentrant call: this thread is inside another call of the same object")
    return lock


class Task(Generic[T]):
    """A call of a pure function, under way in a thread or still to be made by who asks for its result.

    Args:
        call: the call.
        future: what the thread does, if one does.
    """

    def __init__(self, call: Callable[[], T], future: Future[T] | None = None):
        self._call = call
        self._future = future
        self._process = os.getpid()

    def _under_way(self) -> Future[T] | None:
        # The lock of a future may be held for ever in a forked process, so it is not touched there.
        return self._future if self._process == os.getpid() else None

    def done(self) -> bool:
        """Whether `result` returns, or raises, without waiting."""
        future = self._under_way()
        return future is not None and future.done()

    def result(self) -> T:
        """Return what the function returns, or raise what it raises; after that, the next call tries anew."""
        future = self._under_way()
        if future is not None:
            try:
                return future.result()
            except CancelledError:
                pass
            except BaseException:
                if future.done():
                    self._future = None
                raise
        return self._call()

    def cancel(self) -> None:
        """Say that the result is not needed."""
        future = self._under_way()
        if future is not None:
            future.cancel()


class Workers:
    """Threads that are started when there is work, as many as are allowed.

    Args:
        count: most tasks that are done at the same time; with 1 all is done in the calling thread.
    """

    def __init__(self, count: int):
        self.count = count
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def submit(self, call: Callable[[], T]) -> Task[T]:
        """Begin `call`, where that can be."""
        if self.count == 1:
            return Task(call)
        try:
            if self._pool is None or self._process != os.getpid():
                self._process = os.getpid()
                self._pool = ThreadPoolExecutor(self.count, thread_name_prefix="nzip")
            return Task(call, self._pool.submit(call))
        except RuntimeError:  # no thread can start: too many, or the program ends
            return Task(call)

    def close(self) -> None:
        """End the threads. Safe to call at any time."""
        pool, self._pool = self._pool, None
        if pool is not None and self._process == os.getpid():
            pool.shutdown(wait=True, cancel_futures=True)
