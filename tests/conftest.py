"""What all tests share: one thread for torch where it is used; the machine has other work."""

import sys

import pytest


@pytest.fixture(autouse=True)
def one_thread() -> None:
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
