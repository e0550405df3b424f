"""A search that finds Korean words under their particles, and English ones by their stems.

Sphinx's search looks a word up as it stands, and for parts of words only from three letters on. In
Korean a particle follows the word without a space, and a word has two syllables as a rule: the
index gets every beginning of a Korean word, and particles are taken off what is searched for.
"""

import re

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

HANGUL = re.compile(r"[가-힣]{3,}")
PARTICLES = (
    *("에서는", "으로는", "에게서", "이라고", "입니다", "합니다", "됩니다", "에서", "에게"),
    *("으로", "까지", "부터", "보다", "처럼", "마다", "은", "는", "이", "가", "을", "를"),
    *("의", "에", "로", "와", "과", "도", "만"),
)
"""Longest first."""


class EnglishAndKorean(SearchEnglish):
    """English as Sphinx knows it; Korean words under all their beginnings."""

    lang = "en-ko"
    language_name = "English"  # by which Sphinx calls the stemmer in the browser, too
    js_splitter_code = f"""
function splitQuery(query) {{
  const particle = /^([가-힣]{{2,}}?)(?:{"|".join(PARTICLES)})$/;
  return query
    .split(/[^\\p{{Letter}}\\p{{Number}}_\\p{{Emoji_Presentation}}]+/gu)
    .filter((term) => term)
    .map((term) => term.replace(particle, "$1"));
}}
"""

    def split(self, input: str) -> list[str]:
        """Words of a text, each Korean one followed by its beginnings of two syllables and more."""
        words = super().split(input)
        return words + [start for word in words for start in beginnings(word)]


def beginnings(word: str) -> list[str]:
    """Beginnings of a Korean word, from two syllables on, without the word: none in others."""
    found = HANGUL.match(word)
    return [word[:length] for length in range(2, len(found[0]))] if found else []


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the search language."""
    app.add_search_language(EnglishAndKorean)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
