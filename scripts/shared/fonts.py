"""Letters in pictures: a font that has them, also one installed a moment ago; never empty boxes."""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from matplotlib import font_manager, rcParams
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator

from sidestep.scripts.shared.console import UNSEEN, visible
from sidestep.scripts.shared.romanisation import is_hangul, romanise

FONT_VARIABLE = "SIDESTEP_FONT"
"""Environment variable with the path of a font file that comes before all installed ones."""
FAMILIES = (
    *("Noto Sans CJK KR", "Noto Sans KR", "NanumGothic", "Nanum Gothic", "Malgun Gothic"),
    *("Apple SD Gothic Neo", "AppleGothic", "UnDotum", "Baekmuk Gulim", "Noto Sans CJK JP"),
)
"""Fonts with Hangul and more that systems bring, the better ones first."""
GENERIC = "sans-serif"
BOX = "\u25a1"
"""What stands for a letter that no font has."""
CIRCLE = "\u25cc"
"""Below a mark that is shown alone."""
SIGNS = {" ": "\u2423", "\n": "\u21b5", "\t": "\u21e5"}
"""What stands for a single character that is not seen."""
_SQUARES = dict.fromkeys(UNSEEN, BOX)


def sign_of(symbol: str) -> str:
    """A character as it is shown alone: what is not seen, or stands on another letter, has a sign.

    A mark has a dotted circle below it; what Unicode calls a format, such as a zero-width joiner,
    is a small square.
    """
    match unicodedata.category(symbol):
        case "Cf":
            return BOX
        case "Mn" | "Me":
            return CIRCLE + symbol
    return SIGNS.get(symbol) or visible(symbol)


def covers(path: str, letters: Iterable[str]) -> bool:
    """Whether a font file has a glyph of its own for each of the letters."""
    glyphs = [_glyphs(path).get(ord(letter)) for letter in letters]
    return None not in glyphs and len(set(glyphs)) == len(set(letters))


@lru_cache(maxsize=512)
def _glyphs(path: str) -> dict[int, int]:
    """Character to glyph; nothing of a file that cannot be read, or of one box for everything."""
    try:
        font = FT2Font(path)
        found = {int(code): int(glyph) for code, glyph in font.get_charmap().items()}
    except (RuntimeError, OSError, ValueError):
        return {}
    return {} if "lastresort" in font.family_name.replace(" ", "").lower() else found


@lru_cache(maxsize=4096)
def family_with(letters: str) -> str | None:
    """The name of a font that has these letters, as matplotlib knows it; None where there is none.

    The file that SIDESTEP_FONT names comes first, then `FAMILIES`, then any installed font, be it
    installed after matplotlib wrote its list of fonts.
    """
    return next((name for name, path in _candidates() if covers(path, letters)), None)


def _candidates() -> Iterator[tuple[str, str]]:
    """Names and files, the better ones first; the search for new files comes last."""
    chosen = os.environ.get(FONT_VARIABLE)
    if chosen and Path(chosen).is_file() and _glyphs(chosen):
        font_manager.fontManager.addfont(chosen)
        yield font_manager.FontProperties(fname=chosen).get_name(), chosen
    entries = font_manager.fontManager.ttflist
    known = {entry.name: entry.fname for entry in sorted(entries, key=_is_upright)}
    for name in (*FAMILIES, "DejaVu Sans", *sorted(known)):
        if name in known:
            yield name, known[name]
    yield from _new_fonts(frozenset(entry.fname for entry in font_manager.fontManager.ttflist))


def _is_upright(entry: font_manager.FontEntry) -> bool:
    """Whether a font is neither slanted nor bold: of a family's files that one is looked at."""
    return entry.style == "normal" and entry.weight in (400, "normal", "regular")


@lru_cache(maxsize=1)
def _new_fonts(known: frozenset[str]) -> list[tuple[str, str]]:
    """Fonts of the system that matplotlib's list lacks, added to it."""
    found = []
    for path in sorted(set(font_manager.findSystemFonts()) - known):
        if _glyphs(path):
            font_manager.fontManager.addfont(path)
            found.append((font_manager.FontProperties(fname=path).get_name(), path))
    return sorted(found, key=lambda font: font[0] not in FAMILIES)


def forget_fonts() -> None:
    """Look at fonts and SIDESTEP_FONT anew."""
    for cached in (family_with, _new_fonts, _missing_of):
        cached.cache_clear()


def with_fallback(svg: str) -> str:
    """An SVG whose words name, after their own fonts, those with Hangul that systems bring.

    Whoever opens it may have other fonts than the machine that drew it. Of matplotlib's own list of
    sans-serif fonts the first is kept, which it measured the words by.
    """
    listed = rcParams["font.sans-serif"]

    def named(found: re.Match[str]) -> str:
        names = [name.strip("' ") for name in found[2].split(",")]
        own = [name for name in names if name not in (*listed[1:], GENERIC)]
        families = ", ".join(f"'{name}'" for name in dict.fromkeys([*own, *FAMILIES]))
        return f"{found[1]}{families}, {GENERIC}"

    return re.sub(r"""(font(?:-family)?:[^'";<>]*)('[^";<>]*)""", named, svg)


def file_of(family: str) -> str:
    """The file of a font by its name, or of the default one."""
    return str(font_manager.findfont(font_manager.FontProperties(family=[family])))


@lru_cache(maxsize=4096)
def _missing_of(letters: str, families: tuple[str, ...]) -> str:
    paths = [file_of(family) for family in families]
    return "".join(
        letter
        for letter in dict.fromkeys(letters)
        if not letter.isspace() and not any(ord(letter) in _glyphs(path) for path in paths)
    )


def fit_fonts(figure: Figure) -> str:
    """Give every text of a figure fonts that have its letters.

    Hangul that no font has is romanised; other letters, and characters that cannot be seen, become
    small squares.

    Returns:
        What no font has, in one line for the reader; "" where nothing is missing.
    """
    lost: dict[str, None] = {}
    for axis in figure.findobj(Axis):
        assert isinstance(axis, Axis)
        if isinstance(axis.get_major_locator(), FixedLocator):  # which writes its labels anew
            labels = axis.get_ticklabels()
            for label in labels:
                _fit(label, lost)
            axis.set_ticks(axis.get_majorticklocs(), [label.get_text() for label in labels])
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        _fit(text, lost)
    return missing_words(lost)


def _fit(text: Text, lost: dict[str, None]) -> None:
    """Fit one text; adds what no font has to `lost`."""
    words, families = text.get_text().translate(_SQUARES), tuple(text.get_fontfamily())
    missing = _missing_of(words, families)
    found = {letter: family_with(letter) for letter in missing}
    never = [letter for letter, family in found.items() if family is None]
    lost |= dict.fromkeys(never)
    if any(map(is_hangul, never)):
        words = romanise(words)
    words = words.translate({ord(c): "" if _is_mark(c) else BOX for c in never})
    if words != text.get_text():
        text.set_text(words)
    if missing:
        text.set_fontfamily([*families, *filter(None, dict.fromkeys(found.values()))])


def _is_mark(letter: str) -> bool:
    """Whether a letter has no place of its own: a mark on the one before it, or unseen."""
    return unicodedata.category(letter) in ("Mn", "Mc", "Me", "Cf")


def missing_words(letters: Iterable[str]) -> str:
    """One line on letters that no font has; "" where there are none."""
    some = list(letters)
    if not some:
        return ""
    shown = "".join(some[:8]) + ("..." if len(some) > 8 else "")
    return (
        f"No font was found with {shown}: install one, or name its file in {FONT_VARIABLE}, to see "
        "them in pictures."
    )
