"""Live watching: training shows its latest policy to a window in another process.

Training writes what acting needs into a file in a folder of its own, a few times a second, and
replaces it as a whole; the window reads it, and the run's log. Nothing goes the other way: closing
the window, or its crash, reaches training only as a process that has ended.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor

from sidestep.agents import Agent
from sidestep.scripts.shared.modules import NAMED

EVERY_SECONDS = 0.4
"""Between two policies that are written."""
MOST_OF_TIME = 1 / 30
"""Where writing is slow, on a busy machine, it is done less often: this share of the time."""
GRACE_SECONDS = 5.0
"""That a window is given to close when training is over."""
POLICY = "policy.safetensors"


class LiveFeed:
    """Training's side: the latest policy in a file, and the window's process.

    Use it as a context: at its end the window is closed and the folder removed.

    Args:
        run: the run's folder; its config.json and log are read by the window.
        every: seconds between two policies that are written.
    """

    def __init__(self, run: Path, every: float = EVERY_SECONDS) -> None:
        """Open the window."""
        self._folder = tempfile.TemporaryDirectory(prefix="sidestep-live-")
        self.path, self.every = Path(self._folder.name) / POLICY, every
        self._errors = (Path(self._folder.name) / "errors").open("w+b")
        self._due, self._is_over = time.monotonic(), False
        self.written = 0
        """Policies, so far."""
        # the pipe tells the window that training is over, however that ends
        self.window = subprocess.Popen(
            window_command(run, self.path),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
        )

    def __enter__(self) -> "LiveFeed":
        """The feed itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the window and remove the folder."""
        self.close()

    def offer(self, agent: Agent, last: bool = False) -> str | None:
        """Write the policy if it is time; what fails here never reaches training.

        Args:
            agent: read, and not changed.
            last: write it whatever the time.

        Returns:
            Words on a window that is there no more, once.
        """
        now = time.monotonic()
        if self._is_over or (now < self._due and not last):
            return None
        try:
            if self.window.poll() is None:
                self._write(agent)
                after = time.monotonic()
                self._due = max(now + self.every, after + (after - now) / MOST_OF_TIME)
                return None
            words = self._farewell()
        except OSError as error:
            words = f"The window sees no more of it ({error.strerror or error})"
        self._is_over = True
        return f"{words}; training goes on."

    def _write(self, agent: Agent) -> None:
        temporary = self.path.with_suffix(".tmp")
        temporary.write_bytes(save(policy_of(agent)))
        temporary.replace(self.path)
        self.written += 1

    def _farewell(self) -> str:
        if self.window.returncode == 0:
            return "The window is closed"
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else f"exit code {self.window.returncode}"
        return f"The window ended ({reason})"

    def close(self) -> None:
        """Close the window, by force where it does not, and remove the folder."""
        if self.window.stdin is not None:
            with contextlib.suppress(OSError):  # the window's end of the pipe is gone
                self.window.stdin.close()
        try:
            self.window.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.window.kill()
            self.window.wait()
        self._errors.close()
        self._folder.cleanup()


def window_command(run: Path, policy: Path) -> list[str]:
    """The words that start a window's process, which imports the same modules first."""
    window = [sys.executable, "-m", "sidestep.scripts.viewer.live_window"]
    return [*window, str(run), str(policy), *NAMED]


def policy_of(agent: Agent) -> dict[str, Tensor]:
    """What acting needs, copied: for `Agent.load_state_dict(..., learning=False)`."""
    parts = {
        "network": agent.network.state_dict(),
        "obs_moments": agent.encoder.moments.state_dict(),
        "reward_moments": agent.reward_moments.state_dict(),
    }
    # parameters are views of one flat tensor, which goes on changing
    policy = {
        f"{part}.{name}": tensor.detach().cpu().clone()
        for part, tensors in parts.items()
        for name, tensor in tensors.items()
    }
    if len(agent.encoder.largest):
        policy["obs_largest"] = agent.encoder.largest.clone()
    policy["steps"] = torch.tensor(agent.steps)
    return policy


class LiveReader:
    """The window's side: the latest policy, whenever there is a new one.

    Args:
        path: of the file that training replaces.
    """

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self.path = path
        self._stamp: tuple[int, int] | None = None

    def news(self) -> dict[str, Tensor] | None:
        """What training wrote since the last call; None where it has written nothing."""
        try:
            facts = os.stat(self.path)
            stamp = facts.st_mtime_ns, facts.st_ino
            if stamp == self._stamp:
                return None
            content = self.path.read_bytes()
        except FileNotFoundError:  # training has written nothing yet, or is over
            return None
        self._stamp = stamp
        return load(content)
