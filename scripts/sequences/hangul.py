"""Hangul in pictures: a font that has it, or letters of the Latin alphabet; never empty boxes."""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

FONT_VARIABLE = "SIDESTEP_FONT"
"""Environment variable with the path of a font file to use for labels."""
FAMILIES = (
    *("Noto Sans CJK KR", "Noto Sans KR", "NanumGothic", "Nanum Gothic", "Malgun Gothic"),
    *("Apple SD Gothic Neo", "AppleGothic", "UnDotum", "Baekmuk Gulim", "Noto Sans CJK JP"),
)
"""Fonts with Hangul that systems bring, the better ones first."""

_FIRST = ("g", "kk", "n", "d", "tt", "l", "m", "b", "pp", "s", "ss", "", "j", "jj", "ch", "k",
          "t", "p", "h")  # fmt: skip
_VOWEL = ("a", "ae", "ya", "yae", "eo", "e", "yeo", "ye", "o", "wa", "wae", "oe", "yo", "u",
          "wo", "we", "wi", "yu", "eu", "ui", "i")  # fmt: skip
_LAST = ("", "g", "kk", "gs", "n", "nj", "nh", "d", "l", "lg", "lm", "lb", "ls", "lt", "lp", "lh",
         "m", "b", "bs", "s", "ss", "ng", "j", "ch", "k", "t", "p", "h")  # fmt: skip


def is_hangul(character: str) -> bool:
    """Whether it is a Hangul syllable."""
    return "가" <= character <= "힣"


def romanise(text: str) -> str:
    """Hangul letter by letter in the Latin alphabet; everything else stays.

    읽었다 is ilg-eossda: each letter has one spelling whatever its sound, and a hyphen stands
    before a syllable inside a word that begins with a vowel, so that the spelling can be read back.

    Source: Revised Romanization of Korean (2000), article 3, rule 8.
    """
    result, inside = "", False
    for character in text:
        if not is_hangul(character):
            result, inside = result + character, False
            continue
        number = ord(character) - ord("가")
        first, vowel, last = number // 588, number // 28 % 21, number % 28
        hyphen = "-" if inside and not _FIRST[first] else ""
        result += hyphen + _FIRST[first] + _VOWEL[vowel] + _LAST[last]
        inside = True
    return result


@lru_cache(maxsize=1)
def hangul_font() -> str | None:
    """The name of a font that has Hangul, as matplotlib knows it; None where there is none.

    The file that SIDESTEP_FONT names comes first, then `FAMILIES`, then any installed font.

    Raises:
        ValueError: SIDESTEP_FONT names no font file, or one without Hangul.
    """
    from matplotlib import font_manager

    chosen = os.environ.get(FONT_VARIABLE)
    if chosen:
        if not Path(chosen).is_file() or not _covers(chosen):
            raise ValueError(f"{FONT_VARIABLE}: expected a font file with Hangul, got {chosen}")
        font_manager.fontManager.addfont(chosen)
        return font_manager.FontProperties(fname=chosen).get_name()
    installed = {entry.name: entry.fname for entry in font_manager.fontManager.ttflist}
    for name in (*FAMILIES, *sorted(installed)):
        if name in installed and _covers(installed[name]):
            return name
    return None


def check_font() -> None:
    """Look at the font of SIDESTEP_FONT, if any, before a long work that ends with a picture.

    Raises:
        ValueError: as for `hangul_font`.
    """
    if os.environ.get(FONT_VARIABLE):
        hangul_font()


def _covers(path: str) -> bool:
    """Whether a font has Hangul, each syllable its own glyph: Last Resort has one box for all."""
    from matplotlib.ft2font import FT2Font

    try:
        characters: Any = FT2Font(path).get_charmap()
    except (RuntimeError, OSError):
        return False
    return len({characters[ord(c)] for c in "가읽힣" if ord(c) in characters}) == 3


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
