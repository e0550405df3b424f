"""The speed of character models: training and writing, beside the same model on torch.nn."""

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sidestep.scripts.benches.skeleton import interleave, ratio
from sidestep.scripts.shared.console import progress
from sidestep.scripts.shared.tables import markdown_table
from sidestep.sequence.fitting.fitter import seeded
from sidestep.sequence.fitting.optimise import descend, flatten_parameters
from sidestep.sequence.models.language import (
    LanguageConfig,
    LanguageModel,
    Stream,
    chunk_loss,
    generate,
)

ROWS, STEPS = 32, 100
"""Of an update."""


class TorchModel(nn.Module):
    """The same model on torch.nn's layer, with the interface that `chunk_loss` needs."""

    def __init__(self, model: LanguageModel) -> None:
        """Take the sizes and weights of `model`."""
        super().__init__()
        assert model.embedding is not None
        self.embedding = nn.Embedding(model.symbols, model.config.embedding_size)
        self.embedding.load_state_dict(model.embedding.state_dict())
        layer: Any = model.recurrent  # of one of the kinds that torch has too
        self.recurrent = layer.to_torch()
        self.head = nn.Linear(model.config.hidden_size, model.symbols)
        self.head.load_state_dict(model.head.state_dict())

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Logits (T, B, V) and the state."""
        y, state = self.recurrent(self.embedding(x), state)
        return self.head(y), state

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """One character, as torch.nn offers it: a sequence of length 1."""
        logits, state = self(x.unsqueeze(0), state)
        return logits[0], state


def training_run(model: Any, symbols: Tensor) -> Callable[[], None]:
    """One update: forward, backward, clipping, Adam; the state is carried."""
    flat = flatten_parameters(model)
    optimizer = torch.optim.Adam([flat], lr=1e-4, fused=True)
    stream = Stream(symbols, ROWS, STEPS)
    held: list[Any] = [None]

    def update() -> None:
        chunk = stream.next()
        total, held[0] = chunk_loss(model, chunk, held[0])
        descend(total / chunk.y.numel(), flat, optimizer, 1.0, "")

    return update


def bench_speed(
    models: Sequence[tuple[str, LanguageConfig]], rounds: int, seed: int
) -> list[dict[str, Any]]:
    """Characters per second of training and writing, beside the same model on torch.nn.

    Args:
        models: names and architectures, with an embedding.
        rounds: interleaved.
        seed: of weights and text.
    """
    generator = torch.Generator().manual_seed(seed)
    symbols, rows = torch.randint(65, (500_000,), generator=generator), []
    with progress() as bar:
        task = bar.add_task("speed", total=len(models))
        for name, config in models:
            with seeded(seed):
                ours = LanguageModel(65, config)
            peer: Any = TorchModel(ours)
            runs: dict[str, Callable[[], Any]] = {
                "train": training_run(ours, symbols),
                "train torch": training_run(peer, symbols),
            }
            for suffix, model in (("", ours), (" torch", peer)):
                for lanes, length in ((1, 200), (64, 50)):
                    runs[f"write {lanes}{suffix}"] = _writing(model, symbols[:5], lanes, length)
            times = interleave(runs, rounds)
            rows.append(_speeds(name, times))
            bar.advance(task)
    return rows


def _writing(model: Any, prompt: Tensor, lanes: int, length: int) -> Callable[[], Any]:
    return lambda: generate(model, prompt, length, rows=lanes)


def _speeds(name: str, times: dict[str, list[float]]) -> dict[str, Any]:
    """Medians in characters per second, and torch.nn's time by ours within a round."""
    sizes = {"train": ROWS * STEPS, "write 1": 200, "write 64": 64 * 50}
    record: dict[str, Any] = {"model": name}
    for what, size in sizes.items():
        record[what] = size / statistics.median(times[what])
        record[f"{what} torch"] = size / statistics.median(times[f"{what} torch"])
        record[f"{what} faster"] = ratio(times, f"{what} torch", what)
    return record


def speed_markdown(rows: list[dict[str, Any]], threads: int) -> str:
    """The section on speed."""
    names = {"train": "training", "write 1": "writing, 1 row", "write 64": "writing, 64 rows"}
    body = [
        [row["model"], words, f"{row[key]:,.0f}", f"{row[f'{key} torch']:,.0f}",
         f"{row[f'{key} faster']:.2f}"]
        for row in rows
        for key, words in names.items()
    ]  # fmt: skip
    columns = ["model", "what", "characters/s", "on torch.nn", "ratio"]
    words = (
        "The same model with the recurrent layer of `sidestep.sequence` and with torch.nn's, by "
        f"turns; medians, and the median ratio within a round. Threads: {threads}. Training is a "
        f"whole update of {ROWS} x {STEPS} characters; writing is one character "
        "after the other."
    )
    return f"## Speed of character models\n\n{words}\n\n{markdown_table(columns, body)}"
