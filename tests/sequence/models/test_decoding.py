"""Greedy, sampling and beam search: against enumeration, against each other, against rescoring."""

import math
from collections import Counter

import pytest
import torch

from sidestep.sequence.models.beams import length_penalty
from sidestep.sequence.models.decoding import beam_search, greedy, sample
from sidestep.sequence.models.seq2seq import Seq2Seq, sequence_log_probability
from sidestep.sequence.models.seq2seq_config import Seq2SeqConfig
from sidestep.sequence.tasks.pairs import BEGIN, END, PAD

from .enumerable import Sentences, Tables

LENGTH, SYMBOLS, WORDS = 4, 7, 4  # a word: UNKNOWN, or one of three more
EVERYTHING = 85 + WORDS**LENGTH  # finished and unfinished ones of this length
ALL = torch.arange(5)


def tables(seed: int) -> Tables:
    return Tables(5, LENGTH, SYMBOLS, seed)


@pytest.mark.parametrize("seed", range(4))
def test_a_wide_beam_finds_the_best_of_all(seed: int) -> None:
    model = tables(seed)
    found = beam_search(model, Sentences(ALL), LENGTH, width=EVERYTHING)
    for table, hypotheses in enumerate(found):
        best = model.everything(table)
        assert len(best) == 1 + 4 + 16 + 64
        assert [h.tokens for h in hypotheses[:7]] == [symbols for _, symbols in best[:7]]
        for hypothesis, (log_probability, _) in zip(hypotheses, best, strict=False):
            assert hypothesis.log_probability == pytest.approx(log_probability, abs=1e-5)
            assert hypothesis.score == hypothesis.log_probability and hypothesis.finished
        assert sum(h.finished for h in hypotheses) == len(best)


@pytest.mark.parametrize("alpha", [0.6, 3.0])
def test_a_wide_beam_finds_the_best_under_the_length_penalty(alpha: float) -> None:
    model = tables(5)
    found = beam_search(model, Sentences(ALL), LENGTH, width=EVERYTHING, alpha=alpha)
    for table, hypotheses in enumerate(found):
        scored = sorted(
            (value / length_penalty(len(symbols) + 1, alpha), symbols)
            for value, symbols in model.everything(table)
        )
        score, symbols = scored[-1]
        assert hypotheses[0].tokens == symbols
        assert hypotheses[0].score == pytest.approx(score, abs=1e-5)


def test_length_penalty_by_hand() -> None:
    assert length_penalty(1, 0.6) == 1.0
    assert length_penalty(7, 1.0) == 2.0
    assert length_penalty(19, 0.5) == 2.0
    assert length_penalty(19, 0.0) == 1.0


def naive_beam(model: Tables, table: int, width: int, alpha: float) -> list[list[int]]:
    """The same search without batches, in lists: the tokens of what is finished, best first."""
    opened: list[tuple[float, list[int]]] = [(0.0, [])]
    finished: list[tuple[float, list[int]]] = []
    for length in range(1, LENGTH + 1):
        further = [[*symbols, s] for _, symbols in opened for s in (END, 3, 4, 5, 6)]
        ranked = sorted(((model.log_probability(table, s), s) for s in further), reverse=True)
        penalty = length_penalty(length, alpha)
        finished += [(value / penalty, s[:-1]) for value, s in ranked[:width] if s[-1] == END]
        finished = sorted(finished, reverse=True)[:width]
        opened = [item for item in ranked if item[1][-1] != END][:width]
        if len(finished) == width and finished[-1][0] >= opened[0][0] / penalty:
            break
    return [symbols for _, symbols in finished]


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_a_narrow_beam_equals_the_same_search_in_lists(width: int, alpha: float) -> None:
    for seed in range(7):
        model = tables(seed)
        model.logits[..., END] += 1.0
        found = beam_search(model, Sentences(ALL), LENGTH, width=width, alpha=alpha)
        for table, hypotheses in enumerate(found):
            finished = [h.tokens for h in hypotheses if h.finished]
            assert finished == naive_beam(model, table, width, alpha)


def test_a_beam_of_two_by_hand() -> None:
    """Greedy takes the better first symbol and loses; two hypotheses keep the other one."""
    model = Tables(1, 3, 5, seed=0)
    one, two = 3, 4
    first = torch.tensor([0.0, 0.0, 1e-9, 0.6, 0.4]).log()
    model.logits[0, 0, BEGIN, BEGIN] = first
    model.logits[0, 1, BEGIN, one] = torch.tensor([0.0, 0.0, 0.5, 0.25, 0.25]).log()
    model.logits[0, 1, BEGIN, two] = torch.tensor([0.0, 0.0, 0.9, 0.05, 0.05]).log()
    (best, second), *_ = beam_search(model, Sentences(ALL[:1]), 3, width=2)
    assert (best.tokens, second.tokens) == ([two], [one])
    assert math.exp(best.log_probability) == pytest.approx(0.36)
    assert math.exp(second.log_probability) == pytest.approx(0.30)
    (only,) = greedy(model, Sentences(ALL[:1]), 3)
    assert only.tokens == [one] and math.exp(only.log_probability) == pytest.approx(0.30)


@pytest.mark.parametrize("alpha", [0.0, 2.0])
@pytest.mark.parametrize("seed", range(6))
def test_width_one_is_greedy(seed: int, alpha: float) -> None:
    model = tables(seed)
    for max_length in (1, 2, LENGTH):
        beams = beam_search(model, Sentences(ALL), max_length, width=1, alpha=alpha)
        for (beam,), single in zip(beams, greedy(model, Sentences(ALL), max_length), strict=True):
            assert beam.tokens == single.tokens and beam.finished == single.finished
            assert beam.log_probability == pytest.approx(single.log_probability, abs=1e-6)
            assert beam.attention is not None and single.attention is not None
            assert beam.attention.equal(single.attention)


@pytest.mark.parametrize("width", [2, 3, 5])
def test_probabilities_and_attention_belong_to_the_tokens(width: int) -> None:
    model = tables(7)
    order = torch.tensor([3, 0, 4, 1, 2])
    found = beam_search(model, Sentences(order), LENGTH, width=width)
    for table, hypotheses in zip(order.tolist(), found, strict=True):
        assert len(hypotheses) == width
        assert len({(tuple(h.tokens), h.finished) for h in hypotheses}) == width
        for h in hypotheses:
            symbols = [*h.tokens, END] if h.finished else h.tokens
            assert not {PAD, BEGIN, END} & set(h.tokens)
            by_table = model.log_probability(table, symbols)
            assert h.log_probability == pytest.approx(by_table, abs=1e-5)
            read = [BEGIN, *symbols[:-1]]
            marks = [[table, symbol, at] for at, symbol in enumerate(read)]
            assert h.attention is not None and h.attention.tolist() == marks


def test_done_sentences_leave_the_batch() -> None:
    model = tables(1)
    model.logits[:3, ..., END] = 50.0  # three of five write nothing
    model.logits[3:, ..., END] = -50.0
    found = greedy(model, Sentences(ALL), LENGTH)
    assert model.rows_seen == [5, 2, 2, 2]
    assert [h.finished for h in found] == [True, True, True, False, False]
    assert [len(h.tokens) for h in found] == [0, 0, 0, LENGTH, LENGTH]
    model.rows_seen.clear()
    beam_search(model, Sentences(ALL), LENGTH, width=2)
    assert model.rows_seen == [10, 10, 4, 4]  # "" first, then one word and END


def test_unfinished_ones_come_last() -> None:
    model = tables(2)
    (found,) = beam_search(model, Sentences(ALL[:1]), 1, width=3)
    assert [h.finished for h in found].count(True) <= 1
    assert [h.finished for h in found] == sorted((h.finished for h in found), reverse=True)
    assert len(found) == 3


def test_sampling_follows_the_probabilities() -> None:
    model = tables(3)
    generator = torch.Generator().manual_seed(0)
    drawn = sample(model, Sentences(torch.zeros(20_000).long()), LENGTH, generator=generator)
    counts = Counter(tuple(h.tokens) for h in drawn if h.finished)
    barred = model.logits[0, 0, BEGIN, BEGIN].softmax(-1)[[PAD, BEGIN]].sum()
    for log_probability, symbols in model.everything(0)[:1]:
        if not symbols:  # one step: PAD and BEGIN are barred, the others share their probability
            expected = math.exp(log_probability) / float(1 - barred)
            assert counts[()] / 20_000 == pytest.approx(expected, abs=0.015)
    for h in drawn[:50]:
        symbols = [*h.tokens, END] if h.finished else h.tokens
        assert h.log_probability == pytest.approx(model.log_probability(0, symbols), abs=1e-5)


def test_temperature_and_top_k() -> None:
    model = tables(4)
    encoded, generator = Sentences(ALL), torch.Generator().manual_seed(1)
    single = [h.tokens for h in greedy(model, encoded, LENGTH)]
    for options in ({"temperature": 0.0}, {"top_k": 1}, {"temperature": 1e-4}):
        found = sample(model, encoded, LENGTH, generator=generator, **options)  # type: ignore[arg-type]
        assert [h.tokens for h in found] == single
    same = [sample(model, encoded, LENGTH, generator=torch.Generator().manual_seed(2))
            for _ in range(2)]  # fmt: skip
    assert [h.tokens for h in same[0]] == [h.tokens for h in same[1]]


def test_wrong_settings() -> None:
    model, encoded = tables(0), Sentences(ALL)
    with pytest.raises(ValueError, match="width >= 1 and alpha >= 0, got 0 and"):
        beam_search(model, encoded, 3, width=0)
    with pytest.raises(ValueError, match=r"width >= 1 and alpha >= 0, got 2 and -0\.1"):
        beam_search(model, encoded, 3, width=2, alpha=-0.1)
    with pytest.raises(ValueError, match="max_length >= 1, got 0"):
        greedy(model, encoded, 0)
    with pytest.raises(ValueError, match="max_length >= 1, got 0"):
        beam_search(model, encoded, 0)
    with pytest.raises(ValueError, match="temperature: expected"):
        sample(model, encoded, 3, temperature=-1.0)


CONFIGS = [
    {"attention": "none"},
    {"attention": "additive", "bidirectional": False},
    {"attention": "dot", "cell": "lstm", "num_layers": 2},
    {"attention": "general", "input_feeding": True},
    {"attention": "location", "cell": "rnn"},
    {"attention": "scaled_dot", "window": "monotonic", "half_width": 2},
    {"attention": "dot", "window": "predictive", "half_width": 2, "input_feeding": True},
]


@pytest.mark.parametrize("options", CONFIGS, ids=lambda o: "-".join(map(str, o.values())))
def test_a_models_scores_are_its_rescored_log_probabilities(options: dict[str, object]) -> None:
    """Sources of three lengths, decoded in one batch, rescored one by one with teacher forcing."""
    torch.manual_seed(0)
    config = Seq2SeqConfig(hidden_size=14, embedding_size=5, max_source=11, **options)  # type: ignore[arg-type]
    model = Seq2Seq(13, 11, config).eval()
    for parameter in model.parameters():  # far from uniform, so that hypotheses differ
        parameter.data.mul_(2)
    source, lengths = torch.randint(4, 13, (7, 3)), torch.tensor([7, 3, 5])
    with torch.no_grad():
        encoded = model.encode(source, lengths)
        wide = beam_search(model, encoded, 9, width=5, alpha=0.7)
        found = [(b, h) for b, hypotheses in enumerate(wide) for h in hypotheses]
        found += list(enumerate(greedy(model, encoded, 9)))
        found += list(enumerate(sample(model, encoded, 9)))
        for b, h in found:
            symbols = [BEGIN, *h.tokens, *([END] if h.finished else [])]
            target = torch.tensor(symbols).unsqueeze(1)
            one = source[: lengths[b], b : b + 1]
            logits, weights = model(one, lengths[b : b + 1], target)
            again = sequence_log_probability(logits, target)
            assert h.log_probability == pytest.approx(float(again), abs=1e-4)
            if weights is None:
                assert h.attention is None
            else:
                assert h.attention is not None
                torch.testing.assert_close(h.attention[:, : lengths[b]], weights[:, 0])
                assert not h.attention[:, lengths[b] :].any()


def test_probabilities_keep_the_precision_of_the_model() -> None:
    model = Seq2Seq(9, 9, Seq2SeqConfig(hidden_size=6, embedding_size=3)).double().eval()
    source, lengths = torch.tensor([[4, 5], [6, END], [END, PAD]]), torch.tensor([3, 2])
    for hypotheses in (
        [[h] for h in greedy(model, model.encode(source, lengths), LENGTH)],
        beam_search(model, model.encode(source, lengths), LENGTH, width=3),
    ):
        for b, found in enumerate(hypotheses):
            length = lengths[b : b + 1]
            for h in found:
                written = torch.tensor([BEGIN, *h.tokens, *[END] * h.finished]).unsqueeze(1)
                logits, _ = model(source[: lengths[b], b : b + 1], length, written)
                exact = float(sequence_log_probability(logits, written).detach())
                assert h.log_probability == pytest.approx(exact, abs=1e-12)
