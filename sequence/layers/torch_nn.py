"""Between these layers and torch.nn's: same parameter names, same numbers."""

from typing import Any, TypeVar

import torch
from torch import nn

from .initialisation import refresh

Target = TypeVar("Target", bound=nn.Module)


def torch_options(module: nn.Module, kind: type[nn.Module]) -> dict[str, Any]:
    """The arguments that a layer here and its counterpart in torch.nn have in common.

    The parameters made with them are on the meta device, for `copy_weights` to fill: nothing is
    drawn.

    Args:
        module: of either kind.
        kind: what it is expected to be.

    Raises:
        TypeError: `module` is something else.
        ValueError: `module` has what the other kind lacks.
    """
    if not isinstance(module, kind):
        raise TypeError(
            f"expected a {kind.__module__}.{kind.__name__}, got "
            f"{type(module).__module__}.{type(module).__qualname__}"
        )
    if getattr(module, "batch_first", False):
        raise ValueError(
            "expected batch_first=False: the layout is (T, B, D) here; to take the weights anyway, "
            "use load_state_dict and transpose the input"
        )
    if getattr(module, "proj_size", 0):
        raise ValueError(f"expected no projection, got proj_size={module.proj_size}")
    if getattr(module, "layer_norm", False):
        raise ValueError("expected no layer normalisation: torch.nn has none in its cells")
    names = ("input_size", "hidden_size", "num_layers", "bias", "dropout", "bidirectional")
    options = {name: getattr(module, name) for name in names}
    return options | {"device": "meta", "dtype": module.weight_hh_l0.dtype}


def copy_weights(source: nn.Module, target: Target) -> Target:
    """Copy every parameter of `source`, whether it is trained, the device, and the mode.

    Args:
        source: may hold plain tensors, or weights that a parametrisation or a hook makes: the
            copy takes their present values as its parameters.
        target: made with `torch_options`.

    Returns:
        `target`.
    """
    refresh(source)
    with torch.enable_grad():  # or what a parametrisation makes would not tell
        found = {name: getattr(source, name) for name, _ in target.named_parameters()}
    target.to_empty(device=found["weight_hh_l0"].device)
    for name, parameter in target.named_parameters():
        parameter.detach().copy_(found[name].detach())
        parameter.requires_grad_(found[name].requires_grad)
    return target.train(source.training)
