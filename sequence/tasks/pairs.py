"""Pairs of token sequences: tokenizers, vocabularies, padded batches, and files of pairs.

Axis letters: T source positions, S target positions, B batch.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import regex
import torch
from torch import Tensor

PAD, BEGIN, END, UNKNOWN = range(4)
SPECIAL = ("<pad>", "<begin>", "<end>", "<unknown>")
"""What every vocabulary begins with, in the order of their numbers."""

JOINED, SPACED = "\uffed", "\u2581"
"""What `split_words` writes on a token beside which the text has not the space, or the lack of one,
that `join_words` would put there by itself: OpenNMT's joiner, SentencePiece's space."""

_PIECE = regex.compile(rf"\s+|[{JOINED}{SPACED}]|\w+(?:['\u2019]\w+|(?<=\d)[.,](?=\d)\w+)*|\X")
_CLOSES = regex.compile(
    r"\s|[\p{Pe}\p{Pf}.,!?;:%\u2026\u3002\u0964\u0965\u060c\u061b\u061f\uff0c\uff01\uff1f]|'s\b"
)
_OPENS = regex.compile(r"\s|[\p{Ps}\p{Pi}\u00bf\u00a1]")


class Pair(NamedTuple):
    """A sequence and what it becomes.

    Attributes:
        source: tokens.
        target: tokens.
        alignment: (source position, target position) of what belongs together, where known.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    alignment: tuple[tuple[int, int], ...] = ()


class Batch(NamedTuple):
    """Pairs as numbers, padded to the longest.

    Attributes:
        source: (T, B) tokens and END, then PAD.
        source_lengths: (B,) END counted.
        target: (S, B) BEGIN, tokens, END, then PAD.
        target_lengths: (B,) BEGIN and END counted.
    """

    source: Tensor
    source_lengths: Tensor
    target: Tensor
    target_lengths: Tensor

    def to(self, device: torch.device | str) -> "Batch":
        """The same on another device."""
        return Batch(*(part.to(device) for part in self))


class TokenVocabulary:
    """Symbols and their numbers; the first four are `SPECIAL`.

    Args:
        symbols: distinct, without the special ones; number 4 is the first of them.

    Raises:
        ValueError: a symbol twice, or one that is special.
    """

    def __init__(self, symbols: Iterable[str]) -> None:
        """Number the symbols."""
        self.symbols = (*SPECIAL, *symbols)
        self._numbers = {symbol: number for number, symbol in enumerate(self.symbols)}
        if len(self._numbers) < len(self.symbols):
            twice = [symbol for symbol, n in Counter(self.symbols).items() if n > 1]
            raise ValueError(f"expected distinct symbols, got {twice[0]!r} twice")

    @classmethod
    def from_tokens(
        cls, sequences: Iterable[Sequence[str]], minimum: int = 1, limit: int | None = None
    ) -> "TokenVocabulary":
        """The tokens that occur at least `minimum` times, the `limit` most frequent of them."""
        counts = Counter(token for sequence in sequences for token in sequence)
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        kept = [token for token, count in ranked if count >= minimum and token not in SPECIAL]
        return cls(kept[:limit])

    def __len__(self) -> int:
        """How many, the special ones counted."""
        return len(self.symbols)

    def __contains__(self, symbol: str) -> bool:
        """Whether it has a number."""
        return symbol in self._numbers

    def unknown(self, tokens: Iterable[str]) -> list[str]:
        """The distinct tokens without a number, in order."""
        return [token for token in dict.fromkeys(tokens) if token not in self._numbers]

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Numbers; a token that is not here becomes UNKNOWN."""
        return [self._numbers.get(token, UNKNOWN) for token in tokens]

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """Tokens up to END; PAD and BEGIN are left out, UNKNOWN shows as it is."""
        tokens = []
        for number in numbers:
            if number == END:
                break
            if number not in (PAD, BEGIN):
                tokens.append(self.symbols[number])
        return tokens


def pad(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Rows of numbers side by side: (T, B) with PAD below the shorter ones, and lengths (B,).

    Raises:
        ValueError: there is no row.
    """
    if not rows:
        raise ValueError("expected at least one sequence, got none")
    longest = max(map(len, rows))
    padded = torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows])  # (B, T)
    return padded.t().contiguous(), torch.tensor([len(row) for row in rows])


def source_batch(
    sources: Sequence[Sequence[str]], vocabulary: TokenVocabulary
) -> tuple[Tensor, Tensor]:
    """Sources with END as numbers: (T, B), and lengths (B,)."""
    return pad([[*vocabulary.encode(tokens), END] for tokens in sources])


def make_batch(pairs: Sequence[Pair], source: TokenVocabulary, target: TokenVocabulary) -> Batch:
    """Pairs as numbers; see `Batch`."""
    inputs = source_batch([pair.source for pair in pairs], source)
    outputs = pad([[BEGIN, *target.encode(pair.target), END] for pair in pairs])
    return Batch(*inputs, *outputs)


def split_words(text: str) -> list[str]:
    r"""Cut a text into words and marks so that `join_words` gives back exactly this text.

    A word keeps its accents, vowel points and other marks, apostrophes inside it, and the points
    and commas inside a number. Every other visible character is a token with the marks on it.
    Between two tokens is one space, but none before what closes (brackets, quotes and .,!?;:%) and
    none behind what opens. Where a text has it otherwise, the token says so: "well-known" is
    `well`, `\uffed-\uffed`, `known`, and "non !" is `non`, `\u2581!`. Other white space is a token
    of its own.
    """
    tokens: list[str] = []
    left, spaced = "", False
    pieces = _PIECE.findall(text)
    for number, body in enumerate(pieces):
        if body == " " and 0 < number < len(pieces) - 1:
            spaced = True
            continue
        mark = SPACED if spaced else JOINED
        if left and spaced != _has_space(left, body):
            if _is_word(body) and not _is_word(left):
                tokens[-1] += mark  # words stay bare
                mark = ""
        elif body not in (JOINED, SPACED):  # which would be read as what they mean on a token
            mark = ""
        tokens.append(mark + body)
        left, spaced = body, False
    return tokens


def join_words(tokens: Iterable[str]) -> str:
    """Write tokens as a line of text; see `split_words`. Any tokens will do."""
    text, left, after = "", "", ""
    for token in tokens:
        before, body, then = _parts(token)
        mark = before or after
        spaced = mark == SPACED if mark else _has_space(left, body)
        text += (" " if left and spaced else "") + body
        left, after = body, then
    return text


def bare(token: str) -> str:
    """What a token shows: without what it says about the spaces beside it."""
    return _parts(token)[1]


def _parts(token: str) -> tuple[str, str, str]:
    """What it says about the space before it, the token itself, and about the space behind it."""
    before = token[0] if len(token) > 1 and token[0] in (JOINED, SPACED) else ""
    body = token[len(before) :]
    after = body[-1] if len(body) > 1 and body[-1] in (JOINED, SPACED) else ""
    return before, body[: len(body) - len(after)], after


def _has_space(left: str, right: str) -> bool:
    """Whether a space stands between two tokens that say nothing about it."""
    return not _OPENS.match(left) and not _CLOSES.match(right)


def _is_word(body: str) -> bool:
    return regex.match(r"\w", body) is not None


def split_characters(text: str) -> list[str]:
    """Cut a text into characters as a reader counts them: letters keep their marks.

    Source: Unicode Standard Annex 29, extended grapheme clusters.
    """
    return list(regex.findall(r"\X", text))


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """A file of pairs, SOURCE tab TARGET on each line; what follows a second tab is left out.

    Empty lines are skipped. The text is brought to Unicode's form NFC, so that Hangul written as
    single letters and as syllables is the same.

    Raises:
        ValueError: no regular file, not UTF-8 text, a line without a tab or with an empty side (its
            number is named), or no pair at all.
        OSError: the file cannot be read.
    """
    if path.exists() and not path.is_file():  # which might never end
        raise ValueError(f"{path}: expected a regular file, got a folder, pipe or device")
    try:
        text = unicodedata.normalize("NFC", path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected UTF-8 text, got {error.reason}") from None
    if "\0" in text:
        raise ValueError(f"{path}: expected text, got a binary file")
    pairs = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        parts = [part.strip() for part in line.split("\t")]
        if len(parts) < 2:
            raise ValueError(f"{path}, line {number}: expected SOURCE tab TARGET, got no tab")
        if not parts[0] or not parts[1]:
            raise ValueError(f"{path}, line {number}: expected SOURCE tab TARGET, got an empty one")
        pairs.append((parts[0], parts[1]))
    if not pairs:
        raise ValueError(f"{path}: expected at least one pair, got an empty file")
    return pairs
