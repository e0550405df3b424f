"""The world's rules as plain Python, for a first look that waits for no compiler.

Compiling them takes some seconds, once on a machine; a single lane at the pace of an eye does not
need it. What the rules do is the same.
"""

import os
import sys
import warnings
from collections.abc import Sequence

from sidestep.scripts.shared.examples import EXAMPLES, FLAG

SWITCH = "NUMBA_DISABLE_JIT"
"""numba's own switch, which it reads when it is loaded."""
ELSEWHERE = ("--lanes", "--env", "--env-kwargs", "--optimum")
"""Flags that may ask for more lanes or a larger world."""


def plays_uncompiled(words: Sequence[str]) -> bool:
    """Whether the words after `sidestep` show one lane of an example in its own small world."""
    if not words or words[0] != "watch":
        return False
    flags = [word.partition("=") for word in words]
    if any(flag in ELSEWHERE for flag, _, _ in flags):
        return False
    after = dict(zip(words, [*words[1:], ""], strict=True))
    names = [value if equals else after[FLAG] for flag, equals, value in flags if flag == FLAG]
    return len(names) == 1 and names[0] in EXAMPLES and EXAMPLES[names[0]].small


def leave_uncompiled() -> None:
    """Have numba leave all functions as they are, unless it is loaded already."""
    if "numba" in sys.modules:
        return
    os.environ.setdefault(SWITCH, "1")
    warnings.filterwarnings("ignore", "overflow encountered in scalar", RuntimeWarning)
