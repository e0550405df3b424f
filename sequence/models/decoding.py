"""Writing a sequence with a decoder: greedily, by sampling, by beam search; batched.

The source is encoded once and its keys are projected once, before any of this. Every step is one
batch over all sentences, or over all hypotheses of all sentences; sentences that are done leave
the batch. Axis letters: B sentences still open, K hypotheses of each, N = K * B rows (row
k * B + b), T source positions, S symbols written, V target symbols.
"""

import math
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from sidestep.sequence.tasks.pairs import BEGIN, END, PAD

from .beams import Beams, Hypothesis, hypothesis
from .sampling import check_sampling, sample_logits


class Sources(Protocol):
    """What the model made of B sources."""

    @property
    def rows(self) -> int:
        """B."""
        ...

    @property
    def device(self) -> torch.device:
        """Where it is."""
        ...

    def select(self, index: Tensor) -> Self:
        """Some of them: index (N,) integers."""
        ...


class Stepped(Protocol):
    """One step: logits (N, V), the new state, weights (N, T) or None."""

    @property
    def logits(self) -> Tensor:
        """(N, V)."""
        ...

    @property
    def state(self) -> Any:
        """After the step."""
        ...

    @property
    def weights(self) -> Tensor | None:
        """(N, T) of attention."""
        ...


class Decoder(Protocol):
    """What can be decoded; `Seq2Seq` is one."""

    def start(self, encoded: Any) -> Any:
        """The state before BEGIN, a row for each of the encoded sentences."""
        ...

    def step(self, symbol: Tensor, state: Any, encoded: Any) -> Stepped:
        """Read the last symbols (N,) and foresee the next ones."""
        ...


def greedy(model: Decoder, encoded: Sources, max_length: int) -> list[Hypothesis]:
    """Write the most probable symbol at each step.

    Args:
        model: in evaluation mode.
        encoded: what the model made of the sources.
        max_length: at which writing stops, END counted.

    Returns:
        One hypothesis a sentence.
    """
    return sample(model, encoded, max_length, temperature=0.0)


@torch.no_grad()
def sample(
    model: Decoder,
    encoded: Sources,
    max_length: int,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    generator: torch.Generator | None = None,
) -> list[Hypothesis]:
    """Draw each symbol; see `sample_logits`. Probabilities are told as at temperature 1.

    Args:
        model: in evaluation mode.
        encoded: what the model made of the sources.
        max_length: at which writing stops, END counted.
        temperature: at least 0; 0 is greedy.
        top_k: how many symbols remain to be drawn from; 0: all.
        generator: source of randomness; None takes torch's global one.

    Returns:
        One hypothesis a sentence.

    Raises:
        ValueError: a temperature, top_k or length out of range.
    """
    check_sampling(temperature, top_k)
    _check(max_length)
    state, places = model.start(encoded), list(range(encoded.rows))  # places: rows still open
    symbol = torch.full((encoded.rows,), BEGIN, device=encoded.device)
    written: list[list[int]] = [[] for _ in places]
    total = [0.0] * len(places)
    looks: list[list[Tensor]] = [[] for _ in places]
    for _ in range(max_length):
        step = model.step(symbol, state, encoded)
        log_probs = _allowed(step.logits)
        symbol, state = sample_logits(log_probs, temperature, top_k, generator), step.state
        gained = log_probs.gather(1, symbol.unsqueeze(1)).squeeze(1).tolist()
        numbers = symbol.tolist()
        for row, place in enumerate(places):
            written[place].append(numbers[row])
            total[place] += gained[row]
            if step.weights is not None:
                looks[place].append(step.weights[row])
        still = [row for row, number in enumerate(numbers) if number != END]
        if not still:
            break
        if len(still) < len(numbers):
            index = torch.tensor(still, device=symbol.device)
            symbol, state, encoded = symbol[index], state.select(index), encoded.select(index)
            places = [places[row] for row in still]
    return [
        hypothesis(tokens, log_probability, 0.0, weights)
        for tokens, log_probability, weights in zip(written, total, looks, strict=True)
    ]


@torch.no_grad()
def beam_search(
    model: Decoder,
    encoded: Sources,
    max_length: int,
    *,
    width: int = 5,
    alpha: float = 0.0,
) -> list[list[Hypothesis]]:
    """Keep the `width` most probable beginnings at each step, over all sentences at once.

    END counts where it is among the `width` best continuations. A sentence is done when `width` of
    its hypotheses are finished and none still open, at its present length, scores better than the
    worst of them. Width 1 writes what `greedy` writes.

    Args:
        model: in evaluation mode.
        encoded: what the model made of the sources.
        max_length: at which writing stops, END counted; what is open then is returned unfinished
            where fewer than `width` are finished.
        width: K, at least 1.
        alpha: of `length_penalty`; above 0 favours long hypotheses.

    Returns:
        For each sentence its hypotheses, the best first: `width` of them, or as many as there are.

    Raises:
        ValueError: width, alpha or length out of range.
    """
    if width < 1 or not 0 <= alpha < math.inf:
        raise ValueError(f"expected width >= 1 and alpha >= 0, got {width} and {alpha}")
    _check(max_length)
    sentences, device = encoded.rows, encoded.device
    state = model.start(encoded).select(torch.arange(sentences, device=device).repeat(width))
    symbol = torch.full((width * sentences,), BEGIN, device=device)
    total = torch.full((width, sentences), -math.inf, device=device)
    total[0] = 0  # all K begin alike: only one of them counts
    beams = Beams(sentences, width, alpha)
    for _ in range(max_length):
        step = model.step(symbol, state, encoded)
        log_probs = _allowed(step.logits).view(width, -1, step.logits.shape[-1])  # (K, B, V)
        best, parent, symbol = _continuations(total, log_probs, width)  # (2K, B)
        ended = symbol == END
        beams.end(best[:width], parent[:width], ended[:width])
        total, order = best.masked_fill(ended, -math.inf).topk(width, dim=0)  # (K, B)
        parent, symbol = parent.gather(0, order), symbol.gather(0, order)
        still = beams.extend(total, parent, symbol, step.weights)
        if not still:
            break
        rows = parent * parent.shape[1] + torch.arange(parent.shape[1], device=device)  # (K, B)
        if len(still) < parent.shape[1]:
            keep = torch.tensor(still, device=device)
            total, rows, symbol = total[:, keep], rows[:, keep], symbol[:, keep]
            encoded = encoded.select(keep)
        state, symbol = step.state.select(rows.flatten()), symbol.flatten()
    return beams.ranked()


def _continuations(total: Tensor, log_probs: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """The 2K best continuations of each sentence: log-probability, parent, symbol, each (2K, B).

    Twice as many as needed: even if K of them end here, K remain to go on.
    """
    symbols = log_probs.shape[-1]
    joint = (total.unsqueeze(-1) + log_probs).transpose(0, 1).flatten(1)  # (B, K * V)
    best, index = joint.topk(min(2 * width, joint.shape[1]), dim=1)
    return best.t(), (index // symbols).t(), (index % symbols).t()


def _allowed(logits: Tensor) -> Tensor:
    """Log-probabilities; PAD and BEGIN, which are never written, get -inf."""
    wide = torch.promote_types(logits.dtype, torch.float32)
    log_probs = logits.to(wide).log_softmax(-1)
    log_probs[:, [PAD, BEGIN]] = -math.inf
    return log_probs


def _check(max_length: int) -> None:
    if max_length < 1:
        raise ValueError(f"expected max_length >= 1, got {max_length}")
