"""Compiling with numba's cache, which is in the package or wherever numba finds a folder."""

from collections.abc import Callable
from typing import Any

import numba


def compiled_with(options: dict[str, Any]) -> Callable[[Any], Any]:
    """`numba.njit` with these options and its cache, where a folder for that can be written.

    The cache looks at the date of the file that a function stands in, where its options and all
    that it calls are to stand too.
    """

    def compiled(function: Any) -> Any:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:
            return numba.njit(**options)(function)

    return compiled
