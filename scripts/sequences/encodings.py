"""Tables in the encodings in which systems write them: UTF-8, UTF-16, Korean, Western European."""

import codecs
import re

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""What a file begins with that says its encoding."""
CERTAIN = ("utf-8", "utf-16", "utf-32")
"""Encodings that are never a guess."""

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_FOREIGN = re.compile(
    r"[^\x00-\x7f\uac00-\ud7a3\u3000-\u303f\uff00-\uffef\u00b0-\u00b7\u2010-\u22ff]"
)


def decode_table(data: bytes, encoding: str | None = None) -> tuple[str, str]:
    """Text of a file, and the encoding that it was read in.

    UTF-8 and marked UTF-16 or 32 are certain. Else UTF-16 is believed where it gives lines
    and half of it is ASCII, cp949
    where what is not ASCII becomes Hangul, and cp1252 where nothing is a control character.

    Args:
        data: of the file.
        encoding: what it is in; None: found out.

    Raises:
        ValueError: an unknown encoding, one that does not fit, or a binary file.
    """
    if encoding is not None:
        try:
            text = data.decode(encoding)
        except (LookupError, UnicodeError) as error:
            raise ValueError(
                f"expected a CSV file in the encoding {encoding}, got {error}"
            ) from None
        found = encoding
    else:
        text, found = _guess(data)
    if "\0" in text or (encoding is None and found not in CERTAIN and _CONTROL.search(text)):
        raise ValueError("expected a CSV file, got a binary file")
    return text.removeprefix("\ufeff"), found


def _guess(data: bytes) -> tuple[str, str]:
    for mark, name in MARKS:
        text = _try(data, name) if data.startswith(mark) else None
        if text is not None and (name == "utf-8-sig" or "\n" in text or "\r" in text):
            return text, name.removesuffix("-sig")
    text = _try(data, "utf-8")
    if text is not None and "\0" not in text:
        return text, "utf-8"
    for name in ("utf-16-le", "utf-16-be"):
        text = _try(data, name)
        if text is not None and "\n" in text and 2 * sum(map(str.isascii, text)) > len(text):
            return text, name
    for name in ("euc_kr", "cp949"):
        text = _try(data, name)
        if text is not None and _HANGUL.search(text) and not _FOREIGN.search(text):
            return text, name
    return (_try(data, "cp1252") or data.decode("latin-1")), "cp1252"


def _try(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeError:
        return None
