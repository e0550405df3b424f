"""Between these layers and torch.nn's: same parameter names, same numbers."""

from typing import Any, TypeVar

from torch import nn

Target = TypeVar("Target", bound=nn.Module)


def torch_options(module: nn.Module) -> dict[str, Any]:
    """The arguments that a layer here and its counterpart in torch.nn have in common.

    Args:
        module: of either kind.

    Raises:
        ValueError: `module` has what the other kind lacks.
    """
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
    weight = next(module.parameters())
    options = {name: getattr(module, name) for name in names}
    return options | {"device": weight.device, "dtype": weight.dtype}


def copy_weights(source: nn.Module, target: Target) -> Target:
    """Load the parameters of `source` into `target`, and its mode; returns `target`."""
    target.load_state_dict(source.state_dict())
    return target.train(source.training)
