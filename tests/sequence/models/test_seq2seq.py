"""The encoder and decoder: padding, batches, steps against the whole, teacher forcing, errors."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, jvp, vmap

from sidestep.sequence.models.seq2seq import Seq2Seq, sequence_log_probability, target_loss
from sidestep.sequence.models.seq2seq_config import Seq2SeqConfig, teacher_forcing_at
from sidestep.sequence.tasks.pairs import BEGIN, END, PAD

B, T, S, SOURCES, TARGETS = 3, 7, 5, 13, 11
LENGTHS = torch.tensor([7, 2, 5])
OPTIONS: list[dict[str, Any]] = [
    {"attention": "none", "bidirectional": False},
    {"attention": "none", "cell": "lstm", "num_layers": 2},
    {"attention": "additive"},
    {"attention": "additive", "input_feeding": True},
    {"attention": "dot", "cell": "lstm"},
    {"attention": "scaled_dot", "cell": "rnn", "num_layers": 2},
    {"attention": "general", "window": "monotonic", "half_width": 2},
    {"attention": "general", "window": "predictive", "half_width": 2},
    {"attention": "location", "input_feeding": True},
]
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # of torch's jvp
every = pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(map(str, o.values())))


def model_of(options: dict[str, Any]) -> Seq2Seq:
    config = Seq2SeqConfig(hidden_size=14, embedding_size=3, max_source=17, **options)
    return Seq2Seq(SOURCES, TARGETS, config, torch.Generator().manual_seed(0)).eval()


def batch() -> tuple[Tensor, Tensor]:
    """Source (T, B) and target (S + 1, B), the second with two of padding."""
    generator = torch.Generator().manual_seed(1)
    source = torch.randint(4, SOURCES, (T, B), generator=generator)
    target = torch.randint(4, TARGETS, (S + 1, B), generator=generator)
    target[0], target[-1] = BEGIN, END
    target[-3:, 1] = torch.tensor([END, PAD, PAD])
    return source, target


@every
def test_padding_never_matters(options: dict[str, Any]) -> None:
    model, (source, target) = model_of(options), batch()
    first, weights = model(source, LENGTHS, target)
    other = source.clone()
    for b, length in enumerate(LENGTHS.tolist()):
        other[length:, b] = PAD
    longer = torch.cat([other, torch.full((4, B), 9)])
    for changed in (other, longer):
        logits, again = model(changed, LENGTHS, target)
        torch.testing.assert_close(logits, first, rtol=0, atol=1e-6)
        if again is not None:
            torch.testing.assert_close(again[..., :T], weights, rtol=0, atol=1e-6)
            assert not again[..., T:].any()


@every
def test_batch_equals_one_by_one(options: dict[str, Any]) -> None:
    model, (source, target) = model_of(options), batch()
    logits, weights = model(source, LENGTHS, target)
    for b, length in enumerate(LENGTHS.tolist()):
        one = slice(b, b + 1)
        alone, own = model(source[:length, one], LENGTHS[one], target[:, one])
        torch.testing.assert_close(logits[:, one], alone, rtol=0, atol=1e-5)
        if weights is not None:
            torch.testing.assert_close(weights[:, one, :length], own, rtol=0, atol=1e-6)


@every
def test_attention_rows_sum_to_one_and_are_zero_on_padding(options: dict[str, Any]) -> None:
    model, (source, target) = model_of(options), batch()
    _, weights = model(source, LENGTHS, target)
    if options["attention"] == "none":
        assert weights is None
        return
    assert weights.shape == (S, B, T)
    for b, length in enumerate(LENGTHS.tolist()):
        assert not weights[:, b, length:].any()
        sums = weights[:, b].sum(-1)
        if options.get("window") == "predictive":  # the Gaussian takes away from them
            assert bool((sums < 1).all()) and bool((sums > 0).all())
        elif options.get("window") == "monotonic":  # a window beyond the source's end is empty
            reached = torch.arange(S) - 2 < length
            torch.testing.assert_close(sums, reached.float())
        else:
            torch.testing.assert_close(sums, torch.ones(S))


@every
def test_steps_equal_the_whole(options: dict[str, Any]) -> None:
    model, (source, target) = model_of(options), batch()
    logits, weights = model(source, LENGTHS, target)
    encoded = model.encode(source, LENGTHS)
    state = model.start(encoded)
    for t in range(S):
        step = model.step(target[t], state, encoded)
        torch.testing.assert_close(step.logits, logits[t], rtol=0, atol=1e-5)
        if weights is not None:
            torch.testing.assert_close(step.weights, weights[t], rtol=0, atol=1e-6)
        state = step.state


@every
def test_a_prediction_never_sees_what_it_predicts(options: dict[str, Any]) -> None:
    model, (source, target) = model_of(options), batch()
    before, _ = model(source, LENGTHS, target)
    changed = target.clone()
    changed[3] = (target[3] - 4 + 1) % (TARGETS - 4) + 4
    after, _ = model(source, LENGTHS, changed)
    assert after[:3].equal(before[:3])
    assert not after[3:].isclose(before[3:]).all(-1).any()


@every
def test_every_parameter_learns(options: dict[str, Any]) -> None:
    model, (source, target) = model_of(options), batch()
    logits, _ = model(source, LENGTHS, target)
    target_loss(logits, target).backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and bool(parameter.grad.any()), name


@pytest.mark.parametrize("options", [OPTIONS[0], OPTIONS[2], OPTIONS[3]])
def test_teacher_forcing(options: dict[str, Any]) -> None:
    """At 1 the target is read; at 0 the model's own words, whatever the target says."""
    model, (source, target) = model_of(options), batch()
    whole, _ = model(source, LENGTHS, target)
    forced, _ = model._step_by_step(
        model.encode(source, LENGTHS), target[:-1], torch.ones(S, B, dtype=torch.bool)
    )
    torch.testing.assert_close(forced, whole, rtol=0, atol=1e-5)
    free, _ = model(source, LENGTHS, target, teacher_forcing=0.0)
    other = torch.full_like(target, 7)
    other[0] = BEGIN
    assert free.equal(model(source, LENGTHS, other, teacher_forcing=0.0)[0])
    own = torch.cat([target[:1], free.argmax(-1)])
    torch.testing.assert_close(model(source, LENGTHS, own)[0], free, rtol=0, atol=1e-5)


@every
def test_no_random_number_is_drawn_where_all_is_forced(options: dict[str, Any]) -> None:
    """A validation must not move the generator that the next update draws its dropout from."""
    model, (source, target) = model_of(options), batch()
    before = torch.get_rng_state()
    model(source, LENGTHS, target)
    assert torch.get_rng_state().equal(before)


def test_teacher_forcing_draws_its_share() -> None:
    """Which steps read the target shows in whether a changed target changes the next logits."""
    model = model_of({"attention": "none"})
    rows = 499
    source, lengths = torch.full((2, rows), 5), torch.full((rows,), 2)
    target = torch.full((3, rows), 6)
    target[0] = BEGIN
    own = int(model(source, lengths, target)[0][0, 0].argmax())
    target[1] = 4 + (own - 4 + 1) % (TARGETS - 4)  # not what the model itself would say
    free, _ = model(source, lengths, target, teacher_forcing=0.0)
    generator = torch.Generator().manual_seed(3)
    mixed, _ = model(source, lengths, target, teacher_forcing=0.3, generator=generator)
    share = 1 - float(mixed[1].isclose(free[1]).all(-1).float().mean())
    assert share == pytest.approx(0.3, abs=0.06)


def test_schedule_by_hand() -> None:
    assert [teacher_forcing_at(u, 5, 1.0, 0.2) for u in (0, 1, 2, 4, 9)] == pytest.approx(
        [1.0, 0.8, 0.6, 0.2, 0.2]
    )
    assert teacher_forcing_at(0, 1, 0.9, 0.1) == 0.9


def test_losses_by_hand() -> None:
    """Two rows, V = 5; the second one ends a step earlier."""
    logits = torch.zeros(2, 2, 5)
    logits[0, 0, 4] = 2.0
    target = torch.tensor([[BEGIN, BEGIN], [4, END], [END, PAD]])
    sharp = float(torch.tensor([0.0, 0.0, 0.0, 0.0, 2.0]).log_softmax(0)[4])
    flat = -float(torch.tensor(5.0).log())
    torch.testing.assert_close(
        sequence_log_probability(logits, target), torch.tensor([sharp + flat, flat])
    )
    assert float(target_loss(logits, target)) == pytest.approx(-(sharp + 2 * flat) / 3)


def test_bidirectional_states_stand_side_by_side() -> None:
    """The decoder's first state is the forward direction's last beside the backward one's."""
    model, (source, _) = model_of({"cell": "lstm", "num_layers": 2}), batch()
    _, (h, c) = model.encoder(model.source_embedding(source), lengths=LENGTHS)
    first = model.encode(source, LENGTHS).state
    assert isinstance(first, tuple)
    for merged, parts in zip(first, (h, c), strict=True):
        assert isinstance(merged, Tensor) and merged.shape == (2, B, 14)
        for layer in range(2):
            assert merged[layer, :, :7].equal(parts[2 * layer])
            assert merged[layer, :, 7:].equal(parts[2 * layer + 1])


def test_source_limits() -> None:
    model = model_of({"attention": "location"})
    at_limit = torch.full((18, 1), 5)
    assert model.encode(at_limit, torch.tensor([18])).rows == 1
    with pytest.raises(ValueError, match="sources of at most 17 symbols, got 18"):
        model.encode(torch.full((19, 1), 5), torch.tensor([19]))
    with pytest.raises(ValueError, match="at least one symbol, got an empty one"):
        model.encode(at_limit, torch.tensor([0]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "gur"}, "cell: expected one of rnn, lstm, gru, got 'gur'"),
        ({"attention": "all"}, "attention: expected one of none, dot"),
        ({"window": "near"}, "window: expected one of global"),
        ({"hidden_size": 0}, "hidden_size: expected at least 1, got 0"),
        ({"hidden_size": 7}, "hidden_size: expected an even number for two directions, got 7"),
        ({"dropout": 1.0}, r"dropout: expected a number in \[0, 1\), got 1.0"),
        ({"attention": "none", "input_feeding": True}, "attention: expected a score for input"),
        ({"attention": "none", "window": "predictive"}, "attention: expected a score for input"),
    ],
)
def test_wrong_configurations(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Seq2SeqConfig(**options)


def test_wrong_shares_and_sizes() -> None:
    model, (source, target) = model_of({}), batch()
    for share in (-0.1, 1.1):
        with pytest.raises(ValueError, match=r"teacher_forcing in \[0, 1\], got"):
            model(source, LENGTHS, target, teacher_forcing=share)
    with pytest.raises(ValueError, match="at least 2 symbols, got 1"):
        Seq2Seq(1, 9, Seq2SeqConfig())


@every
def test_derivatives_by_weights_and_of_each_sentence_alone(options: dict[str, Any]) -> None:
    """Along random weights as differences of values; per sentence as a backward pass of each."""
    torch.manual_seed(2)
    model, (source, target) = model_of(options).double(), batch()
    weights = {name: weight.detach() for name, weight in model.named_parameters()}
    along = {name: torch.randn_like(weight) for name, weight in weights.items()}

    def loss(weights: Any, source: Tensor, lengths: Tensor, target: Tensor) -> Tensor:
        logits, _ = functional_call(model, weights, (source, lengths, target))
        return target_loss(logits, target)

    def moved(by: float) -> Tensor:
        shifted = {name: weight + by * along[name] for name, weight in weights.items()}
        return loss(shifted, source, LENGTHS, target)

    slope = jvp(lambda w: loss(w, source, LENGTHS, target), (weights,), (along,))[1]
    assert slope.abs() > 1e-3
    assert float(slope) == pytest.approx(float(moved(1e-6) - moved(-1e-6)) / 2e-6, rel=1e-5)

    def one(weights: Any, source: Tensor, length: Tensor, target: Tensor) -> Tensor:
        return loss(weights, source.unsqueeze(1), length.unsqueeze(0), target.unsqueeze(1))

    each = vmap(grad(one), in_dims=(None, 1, 0, 1))(weights, source, LENGTHS, target)
    for b in range(B):
        part = slice(b, b + 1)
        model.zero_grad()
        logits, _ = model(source[:, part], LENGTHS[part], target[:, part])
        target_loss(logits, target[:, part]).backward()  # type: ignore[no-untyped-call]
        for name, weight in model.named_parameters():
            torch.testing.assert_close(each[name][b], weight.grad)
    with pytest.raises(ValueError, match="at least one symbol"):
        vmap(one, in_dims=(None, 1, 0, 1))(weights, source, LENGTHS - 2, target)


@every
def test_made_on_meta(options: dict[str, Any]) -> None:
    with torch.device("meta"):
        model = model_of(options)
    assert all(weight.is_meta for weight in model.parameters())
