"""What a reading's panels are called, known without what draws them."""

import difflib
from collections.abc import Collection

NAMES = ("hidden", "cell", "gates", "next", "loss")
"""In the order in which they are drawn, and of their keys, 1 and on."""
SIZE = (960, 600)
"""(width, height) of a picture, unless another is asked for."""


def check_panels(chosen: Collection[str]) -> frozenset[str]:
    """The names as a set.

    Raises:
        ValueError: one that is none.
    """
    for name in chosen:
        if name not in NAMES:
            close = difflib.get_close_matches(name, NAMES, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise ValueError(f"panels: expected some of {', '.join(NAMES)}, got {name!r}{hint}")
    return frozenset(chosen)
