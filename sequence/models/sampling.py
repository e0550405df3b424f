"""Drawing a symbol from logits: temperature, top-k, or the most probable one."""

import math

import torch
from torch import Tensor


def sampling_log_probs(logits: Tensor, temperature: float = 1.0, top_k: int = 0) -> Tensor:
    """Log-probabilities of the distribution that `sample_logits` draws from.

    log softmax(logits / temperature) over the `top_k` largest logits; the others get -inf. Equal
    logits at the border are kept in the order of their indices, so that exactly k remain.
    Temperature 0 puts all probability on the largest logit (the first of equal ones).

    Args:
        logits: (..., V), any real numbers; -inf forbids a symbol.
        temperature: at least 0; below 1 sharpens, above 1 flattens.
        top_k: how many symbols remain; 0, or more than there are: all.

    Returns:
        (..., V).

    Raises:
        ValueError: temperature or top_k is out of range.
    """
    check_sampling(temperature, top_k)
    if temperature == 0:
        top_k = 1
    if 0 < top_k < logits.shape[-1]:
        order = logits.argsort(dim=-1, descending=True, stable=True)
        dropped = torch.ones_like(logits, dtype=torch.bool)
        dropped = dropped.scatter(-1, order[..., :top_k], False)
        logits = logits.masked_fill(dropped, -math.inf)
    below = logits - logits.amax(dim=-1, keepdim=True)  # <= 0: no temperature overflows it
    limits = torch.finfo(logits.dtype)  # beyond, 0 / 0 and -inf / inf are no numbers
    return torch.log_softmax(below / min(max(temperature or 1.0, limits.tiny), limits.max), dim=-1)


def sample_logits(
    logits: Tensor,
    temperature: float = 1.0,
    top_k: int = 0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw one symbol for each row; see `sampling_log_probs`.

    Args:
        logits: (..., V).
        temperature: at least 0; 0 takes the largest logit and draws nothing.
        top_k: how many symbols remain; 0: all.
        generator: the source of randomness, on the logits' device; None takes torch's global one.

    Returns:
        (...) int64.

    Raises:
        ValueError: temperature or top_k is out of range, or a logit is nan.
    """
    check_sampling(temperature, top_k)
    if temperature == 0:
        return logits.argmax(dim=-1)
    probs = sampling_log_probs(logits, temperature, top_k).exp()
    try:
        drawn = torch.multinomial(probs.reshape(-1, probs.shape[-1]), 1, generator=generator)
    except RuntimeError:
        raise ValueError("logits: expected numbers, got nan: the model has diverged") from None
    return drawn.reshape(probs.shape[:-1])


def check_sampling(temperature: float, top_k: int) -> None:
    """Refuse what cannot be sampled with.

    Raises:
        ValueError: temperature or top_k is out of range.
    """
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature: expected a number of at least 0, got {temperature}")
    if top_k < 0:
        raise ValueError(f"top_k: expected at least 0, got {top_k}")
