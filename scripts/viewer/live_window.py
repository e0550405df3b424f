"""The window of `sidestep train --watch`, a process of its own: the latest policy at play.

It reads what `live` writes, and the run's configuration and log; it writes
nothing. It ends with training, whose end of the pipe on its standard input then closes.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import torch

from sidestep.agents import Agent
from sidestep.agents.runs import RunConfig, build_agent, read_config
from sidestep.scripts.shared.modules import import_named
from sidestep.scripts.viewer.live import LiveReader
from sidestep.scripts.viewer.panels.moment import Curve
from sidestep.scripts.viewer.panels.registry import names
from sidestep.scripts.viewer.players import Players
from sidestep.scripts.viewer.screen import Screen
from sidestep.sequence.fitting.log import read_log

NICENESS = 10
"""Training has the right of way."""
LOG_SECONDS = 1.0
"""Between two readings of the log."""


class LiveScreen(Screen):
    """A screen whose agent is still learning elsewhere.

    Args:
        run: the run's folder.
        config: of the run.
        agent: what plays; is given every policy that comes.
        reader: where policies come from.
        over: set when training is over.
        seed: of the first episode; None: drawn.
        speed: ticks a second.
    """

    def __init__(
        self,
        run: Path,
        config: RunConfig,
        agent: Agent,
        reader: LiveReader,
        over: threading.Event,
        seed: int | None = None,
        speed: float = 5.0,
    ) -> None:
        """Make the env and begin an episode; `run` opens the window."""
        self.folder_of_run, self.config, self.agent = run, config, agent
        self.reader, self.over = reader, over
        self._read_log = 0.0
        agent.encoder.frozen = True
        title = f"sidestep train: {run.name} ({agent.name})"
        discount = config.agent.discount
        self.players = Players(config.env, agent, title, discount=discount, curve=Curve())
        panels = (*names(by_default=True), "curve")
        super().__init__(self.players.sessions(1, seed), title, speed, panels=panels)

    def advance(self, seconds: float) -> None:
        """Take in what is new, play the ticks that are due; leave when training is over."""
        self.finished |= self.over.is_set()
        if not self.finished:
            self.refresh()
            super().advance(seconds)

    def refresh(self) -> None:
        """Take in the latest policy, and once a second the log."""
        policy = self.reader.news()
        if policy is not None:
            self.agent.load_state_dict(policy, learning=False)
            self.changed = True
        now = time.monotonic()
        if now - self._read_log >= LOG_SECONDS:
            self._read_log = now
            total = self.config.training.total_steps
            curve = Curve.of(read_log(self.folder_of_run), total)
            self.changed |= curve != self.session.curve
            self.session.curve = curve

    def words(self) -> str:
        """How far training is, and the score here."""
        return f"{self.agent.steps:,} steps trained   {super().words()}"


def main(run: Path, policy: Path) -> None:
    """Show a run that is being trained until training is over or the window is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for training
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    torch.set_num_threads(1)
    config = read_config(run, modules=None)  # training, which started this, has imported it
    agent = build_agent(config, config.training.seed)  # as training begins
    over = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=(over,), daemon=True).start()
    screen = LiveScreen(run, config, agent, LiveReader(policy), over)
    try:
        screen.run()
    finally:
        screen.players.close()


def _wait_for_the_end(over: threading.Event) -> None:
    """Set `over` when the other end of standard input is closed."""
    sys.stdin.buffer.read()
    over.set()


def exit_code(words: list[str]) -> int:
    """Run the window; what fails goes to stderr on one line, which training then says."""
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # as the command does that started this
    try:
        for module in words[2:]:
            import_named(module)
        main(Path(words[0]), Path(words[1]))
    except Exception as error:
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(exit_code(sys.argv[1:]))
