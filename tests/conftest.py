"""What all tests share: no screen is needed, and torch takes one thread where it is used."""

import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("SDL_AUDIODRIVER", "dummy")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(autouse=True)
def no_modules_named() -> Iterator[None]:
    """Forget what `--modules` named in a test: runs that the next one makes would note it."""
    yield
    known = sys.modules.get("sidestep.scripts.shared.modules")
    if known is not None:
        known.NAMED.clear()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep a file's tests in one process, in their usual order: fixtures train once."""
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)
