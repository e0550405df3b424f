"""Hangul in pictures: a font that has it, or letters of the Latin alphabet; never empty boxes."""

import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from sidestep.scripts.shared.console import say
from sidestep.scripts.shared.fonts import FONT_VARIABLE, covers, family_with, missing_words
from sidestep.scripts.shared.romanisation import is_hangul, romanise

SAMPLE = "가읽힣"
"""A font that has these has Hangul."""


@lru_cache(maxsize=1)
def hangul_font() -> str | None:
    """The name of a font that has Hangul, as matplotlib knows it; None where there is none.

    Raises:
        ValueError: SIDESTEP_FONT names no font file, or one without Hangul.
    """
    chosen = os.environ.get(FONT_VARIABLE)
    if chosen and not (Path(chosen).is_file() and covers(chosen, SAMPLE)):
        raise ValueError(f"{FONT_VARIABLE}: expected a font file with Hangul, got {chosen}")
    return family_with(SAMPLE)


def check_font() -> None:
    """Look at the font of SIDESTEP_FONT, if any, before a long work that ends with a picture.

    Raises:
        ValueError: as for `hangul_font`.
    """
    if os.environ.get(FONT_VARIABLE):
        hangul_font()


def tell_font(tokens: Iterable[str]) -> None:
    """Say in one line which Hangul no font has, so that a picture romanises it."""
    letters = dict.fromkeys(c for token in tokens for c in token if is_hangul(c))
    if letters and hangul_font() is None:
        say(missing_words(letters))


def labels_for(tokens: list[str]) -> tuple[list[str], dict[str, Any], str]:
    """Labels that a figure can show.

    Args:
        tokens: text of each label.

    Returns:
        The labels, keywords of matplotlib's text, and a remark for the reader, perhaps empty.
    """
    if not any(is_hangul(character) for token in tokens for character in token):
        return tokens, {}, ""
    font = hangul_font()
    if font is None:
        remark = f"no font with Hangul: romanised (set {FONT_VARIABLE} to a font file)"
        return [romanise(token) for token in tokens], {}, remark
    return tokens, {"fontfamily": [font, "DejaVu Sans"]}, ""
