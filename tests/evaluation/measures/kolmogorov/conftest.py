"""Where the kernel lets nobody filter system calls, as in some containers, tests that run programs are skipped."""

import pytest

from nzip.errors import UnsupportedError


def _skipping():
    try:
        return (yield)
    except UnsupportedError as error:
        if "cannot filter the system calls" not in str(error):
            raise
        pytest.skip(str(error))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    return (yield from _skipping())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    return (yield from _skipping())
