"""Hangul in the letters of the Latin alphabet."""

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
