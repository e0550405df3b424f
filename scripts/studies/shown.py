"""A run's folder as an object: settings, log, last figures; and all that in a notebook."""

import base64
import html
import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg

from sidestep.agents import Agent, RunConfig, load_agent
from sidestep.agents.runs import read_config
from sidestep.scripts.shared.finals import CIRCUMSTANCES, read_final
from sidestep.scripts.shared.fonts import fit_fonts
from sidestep.scripts.studies.curve import seeds_figure
from sidestep.sequence.fitting.log import read_log
from sidestep.sequence.pictures import softly


@dataclass(frozen=True)
class Run:
    """What `sidestep train` left in a folder; a notebook shows settings, figures and curve.

    Args:
        folder: of the run. Nothing is read before it is asked for.
    """

    folder: Path

    @cached_property
    def config(self) -> RunConfig:
        """Env, learner and training.

        Raises:
            FileNotFoundError, ValueError: no run.
        """
        return read_config(self.folder)

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """The lines of its log, each a report of a moment of the training."""
        return read_log(self.folder)

    @cached_property
    def final(self) -> dict[str, Any] | None:
        """Figures of the evaluation at its end; intervals are (mean, low, high). None: none yet."""
        return read_final(self.folder)

    def agent(self) -> Agent:
        """The trained agent, of the latest checkpoint.

        Raises:
            FileNotFoundError, ValueError: no checkpoint, or a damaged one.
        """
        agent, _ = load_agent(self.folder)
        return agent

    @softly
    def _repr_html_(self) -> str | None:
        """Settings and figures as tables, and the learning curve."""
        config, final = self.config, self.final or {}
        settings = {
            "learner": config.learner,
            "env": config.env.in_words(),
            "memory": config.agent.network.memory,
            "env steps": f"{config.training.total_steps:,}",
            "lanes": f"{config.training.num_envs:,}",
            "seed": f"{config.training.seed}",
        }
        told = {name: value for name, value in final.items() if name not in CIRCUMSTANCES}
        figures = {name.replace("_", " "): _words(value) for name, value in told.items()}
        figure = seeds_figure([(self.folder, config, final)])
        fit_fonts(figure)
        buffer = io.BytesIO()
        FigureCanvasAgg(figure).print_png(buffer)  # type: ignore[no-untyped-call]
        data = base64.b64encode(buffer.getvalue()).decode()
        words = html.escape(f"Learning curve of {self.folder.name}")
        return (
            f"<h4>{html.escape(self.folder.name)}</h4>"
            '<div style="display: flex; flex-wrap: wrap; gap: 1.5em; align-items: flex-start">'
            f"{_table('settings', settings)}{_table('at the end', figures)}"
            f'<img alt="{words}" style="max-width: 100%" src="data:image/png;base64,{data}"></div>'
        )


def _words(value: Any) -> str:
    """A figure, or a mean with its interval."""
    if isinstance(value, list | tuple):
        mean, low, high = value
        return f"{mean:.4g} ({low:.4g} to {high:.4g})"
    return f"{value:,.4g}" if isinstance(value, float) else f"{value}"


def _table(title: str, rows: dict[str, str]) -> str:
    """Names and words; nothing where there are none."""
    if not rows:
        return ""
    lines = "".join(
        f'<tr><th style="text-align: left">{html.escape(name)}</th>'
        f'<td style="text-align: right">{html.escape(words)}</td></tr>'
        for name, words in rows.items()
    )
    return f"<table><caption>{title}</caption><tbody>{lines}</tbody></table>"
