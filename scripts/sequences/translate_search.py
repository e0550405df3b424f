"""How `sidestep translate` searches, and how well what it writes agrees with the references."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from sidestep.scripts.sequences.translate_data import Corpus, Languages
from sidestep.scripts.sequences.translate_figures import Look
from sidestep.scripts.sequences.translate_task import decode
from sidestep.scripts.shared.romanisation import is_hangul
from sidestep.sequence.limits import LAST_SEED, MANY, Limit, at_least, check_fields, one_of
from sidestep.sequence.models.beams import Hypothesis
from sidestep.sequence.models.decoding import Sources, beam_search, greedy, sample
from sidestep.sequence.models.sampling import check_sampling
from sidestep.sequence.models.seq2seq import Seq2Seq
from sidestep.sequence.tasks.pairs import Pair

Search = Callable[[Sources], list[list[Hypothesis]]]
HARDEST = 50
"""A length penalty beyond leaves floating point."""


@dataclass(frozen=True)
class SearchConfig:
    """How translations are found."""

    search: Literal["greedy", "beam", "sample"] = "greedy"
    """The most probable symbol at each step, the most probable of several beginnings, or draws."""
    beam_width: int = 5
    """Beginnings that a beam search keeps."""
    length_penalty: float = 0.6
    """Of a beam search: log-probabilities are divided by ((5 + length) / 6) to this power."""
    samples: int = 3
    """Draws for each source."""
    temperature: float = 1.0
    """Of the draws: below 1 sharpens, above 1 flattens."""
    top_k: int = 0
    """Draw from so many most probable symbols; 0: from all."""
    seed: int = 0
    """Of the draws."""

    def __post_init__(self) -> None:
        """Check every field."""
        bearable = Limit(f"a number in [0, {HARDEST}]", lambda value: 0 <= value <= HARDEST)
        limits = {
            "search": one_of("greedy", "beam", "sample"),
            "beam_width": at_least(1, MANY),
            "samples": at_least(1, MANY),
            "seed": at_least(0, LAST_SEED),
            "length_penalty": bearable,
        }
        check_fields(self, limits)
        check_sampling(self.temperature, self.top_k)


def searcher(model: Seq2Seq, config: SearchConfig, max_length: int) -> Search:
    """The search as a function from what was encoded to hypotheses, the best first."""
    if config.search == "greedy":
        return lambda encoded: [[one] for one in greedy(model, encoded, max_length)]
    if config.search == "beam":
        width, alpha = config.beam_width, config.length_penalty
        return lambda e: beam_search(model, e, max_length, width=width, alpha=alpha)
    generator = torch.Generator(next(model.parameters()).device).manual_seed(config.seed)

    def draw(encoded: Sources) -> list[list[Hypothesis]]:
        draws = [
            sample(
                model,
                encoded,
                max_length,
                temperature=config.temperature,
                top_k=config.top_k,
                generator=generator,
            )
            for _ in range(config.samples)
        ]
        rows = zip(*draws, strict=True)
        return [sorted(row, key=lambda one: -one.log_probability) for row in rows]

    return draw


def look_of(languages: Languages, pair: Pair, one: Hypothesis) -> Look | None:
    """A hypothesis for a figure, with the alignment if it is the pair's target.

    Returns:
        None without attention.
    """
    if one.attention is None:
        return None
    tokens = tuple(languages.target.symbols[number] for number in one.tokens)
    alignment = pair.alignment if tokens == pair.target else ()
    return Look(pair.source, tokens, one.attention, alignment)


@dataclass(frozen=True)
class Scores:
    """How well a translator does on held-out pairs.

    Attributes:
        exact: share of translations that are the reference, spaces and all.
        bleu: corpus BLEU, 0 to 100; None unless asked for.
        chrf: likewise.
        aligned: share of the true alignment's symbols, in exact translations, whose largest weight
            lies on a token that they render; None without attention or a known alignment.
        signature: sacrebleu's words on how BLEU was computed.
    """

    exact: float
    bleu: float | None
    chrf: float | None
    aligned: float | None
    signature: str | None

    def figures(self) -> dict[str, Any]:
        """What there is, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


def scores_of(
    model: Seq2Seq, corpus: Corpus, config: SearchConfig, max_target: int
) -> tuple[Scores, list[Hypothesis]]:
    """Translate the test split and compare; returns the best hypotheses too."""
    found = _found(model, corpus, config, max_target)
    same, texts = _compared(corpus, found)
    bleu, chrf, signature = None, None, None
    if corpus.is_translation:
        by_character = corpus.languages.units[1] == "character"
        bleu, chrf, signature = bleu_and_chrf(texts, corpus.references, by_character)
    aligned = _aligned(corpus.test, found, same)
    return Scores(sum(same) / len(same), bleu, chrf, aligned, signature), found


def translated(
    model: Seq2Seq, corpus: Corpus, config: SearchConfig, max_target: int
) -> tuple[list[bool], list[str]]:
    """Translate the test split; returns whether each answer is right, and the answers."""
    return _compared(corpus, _found(model, corpus, config, max_target))


def _found(
    model: Seq2Seq, corpus: Corpus, config: SearchConfig, max_target: int
) -> list[Hypothesis]:
    """The best hypothesis for each source of the test split."""
    sources = [pair.source for pair in corpus.test]
    search = searcher(model, config, max_target + 1)
    return [row[0] for row in decode(model, corpus.languages, sources, search)]


def _compared(corpus: Corpus, found: Sequence[Hypothesis]) -> tuple[list[bool], list[str]]:
    """Whether each hypothesis is an answer that the corpus accepts, and what it says as text."""
    written = [corpus.languages.target.decode(one.tokens) for one in found]
    right = [tuple(w) in corpus.accepted(n) for n, w in enumerate(written)]
    return right, [corpus.languages.join_target(tokens) for tokens in written]


def bleu_and_chrf(
    texts: list[str], references: list[str], by_character: bool
) -> tuple[float | None, float | None, str | None]:
    """Corpus BLEU and chrF by sacrebleu, and BLEU's signature; None where it is not installed.

    Args:
        texts: what was written.
        references: one for each.
        by_character: BLEU over characters, for scripts without spaces between words.
    """
    try:
        import sacrebleu
    except ImportError:
        return None, None, None
    tokenize = "char" if by_character else "13a"
    bleu = sacrebleu.BLEU(tokenize=tokenize, effective_order=True)  # no 4-grams: not 0, but as many
    chrf = sacrebleu.CHRF()
    score = bleu.corpus_score(texts, [references]).score
    return score, chrf.corpus_score(texts, [references]).score, str(bleu.get_signature())


def _aligned(pairs: list[Pair], found: list[Hypothesis], same: list[bool]) -> float | None:
    right, count = 0, 0
    for pair, one, exact in zip(pairs, found, same, strict=True):
        if exact and pair.alignment and one.attention is not None:
            looked = one.attention.argmax(-1).tolist()
            wanted: dict[int, set[int]] = {}
            for s, t in pair.alignment:
                wanted.setdefault(t, set()).add(s)
            right += sum(looked[t] in places for t, places in wanted.items())
            count += len(wanted)
    return right / count if count else None


def worth_showing(pairs: Sequence[Pair], count: int = 2) -> list[int]:
    """Which pairs to draw: those whose alignment crosses most, or one with Hangul and one without.

    Only pairs that a figure has room for are considered, unless there are no others.
    """
    room = [n for n, pair in enumerate(pairs) if len(pair.source) + len(pair.target) <= 36]
    room = [n for n in room if len(pairs[n].source) >= 8][:100] or list(range(len(pairs)))[:100]
    if pairs[room[0]].alignment:
        return sorted(room, key=lambda n: -_crossings(pairs[n]))[:count]
    with_hangul = [n for n in room if any(is_hangul(c) for t in pairs[n].source for c in t)]
    without = [n for n in room if n not in with_hangul]
    return sorted([*without[:1], *with_hangul[: count - 1], *without[1:], *with_hangul[1:]][:count])


def _crossings(pair: Pair) -> int:
    """How many links of the alignment cross another."""
    links = pair.alignment
    return sum((a[0] - b[0]) * (a[1] - b[1]) < 0 for a in links for b in links) // 2
