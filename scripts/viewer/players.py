"""Who acts and where, by the flags of `watch` and `record`: a run's agent, or the optimum."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

import gymnasium as gym
import numpy as np
import tyro

from sidestep.agents import Agent, EnvConfig, load_agent
from sidestep.agents.acting.policy import SinglePolicy
from sidestep.agents.environments import check_spaces
from sidestep.agents.player import Player
from sidestep.agents.runs import read_checkpoint
from sidestep.scripts.shared.console import warn
from sidestep.scripts.shared.forcing import Convention, Forcing, memory_of
from sidestep.scripts.shared.modules import import_noted
from sidestep.scripts.viewer.controllers import OptimalController
from sidestep.scripts.viewer.env_pictures import make_drawn, warm_up
from sidestep.scripts.viewer.exact_values import ExactValues, exact_values_of
from sidestep.scripts.viewer.panels.moment import Curve
from sidestep.scripts.viewer.panels.registry import check_panels, names
from sidestep.scripts.viewer.replay import Replay
from sidestep.scripts.viewer.replay_session import ReplaySession
from sidestep.scripts.viewer.session import Session
from sidestep.scripts.viewer.tiles import MOST_LANES
from sidestep.sequence.fitting.log import read_log
from sidestep.sequence.limits import between, check_fields

DISCOUNT = 0.99
"""Gamma of the optimum, where there is no run."""


@dataclass(frozen=True)
class Flags:
    """What `watch` and `record` are told alike: who acts where, and what is shown of it."""

    run: Annotated[Path | None, tyro.conf.Positional] = None
    """The run's folder, or a replay's JSON file; may be left out with --optimum."""
    seed: int | None = None
    """Of the first episode; the following ones count up from it. Drawn if left out."""
    sampled: bool = False
    """Act with the exploration of the training's end instead of greedily."""
    checkpoint: str = "last"
    """last, best, or the name of one in the folder."""
    optimum: bool = False
    """The exact optimum acts, in the run's world or in that of --env."""
    env: str | None = None
    """Where to act: of a run another env than that of its training, if observations and actions are
    the same; of the optimum without a run sidestep/MovingObstacles-v0 if left out."""
    env_kwargs: tuple[str, ...] = ()
    """Keywords of the env, as name=value; of a run beside those of its training, and instead of
    those of their name."""
    modules: tuple[str, ...] = ()
    """Modules to import first: of a run's env whose id is `module:id`, or that register what the
    run is made of, or a panel."""
    device: str = "cpu"
    """Where the network runs, wherever it was trained: a torch device, or auto, the CPU."""
    lanes: int = 1
    """Worlds side by side, up to 64; a click enlarges one."""
    choices: ClassVar[dict[str, Callable[[], Sequence[str]]]] = {"panels": names}
    """What a command line may offer for a field."""
    panels: tuple[str, ...] = field(default_factory=partial(names, by_default=True))
    """What is shown; in a window, at first."""
    forced: Annotated[tuple[str, ...], tyro.conf.arg(name="set", metavar="GATE=VALUE ...")] = ()
    """Gates of the agent's memory that are held at a value from 0 to 1: f, i, o of an LSTM, r, z of
    a GRU. Their panel is on unless --panels says otherwise."""
    convention: Convention = "keeps"
    """What an open z of a GRU does, here and in its panel: it keeps the past, or it updates it."""
    layer: int | None = None
    """Of a memory of several layers the one whose gates are forced, from 0; the last is shown."""

    def __post_init__(self) -> None:
        """Raise ValueError where it is not said who acts, or where a flag would do nothing."""
        check_fields(self, {"lanes": between(1, MOST_LANES)})
        replayed = self.run is not None and self.run.suffix == ".json"
        if replayed and self.lanes > 1:
            raise ValueError(f"lanes: expected 1 for a replay, got {self.lanes}")
        if self.run is None and not self.optimum:
            raise ValueError(
                "run: expected a run's folder, or --optimum, got neither; `--example glimpse-gru` "
                "shows one that comes with the package"
            )
        if replayed and (self.env is not None or self.env_kwargs):
            raise ValueError(
                f"env: expected none beside {self.run}, which is shown in its own world"
            )
        if self.optimum and (self.sampled or self.checkpoint != "last"):
            raise ValueError("optimum: expected neither --sampled nor --checkpoint beside it")
        if self.seed is not None and self.seed < 0:
            raise ValueError(f"seed: expected a non-negative integer, got {self.seed}")
        check_panels(self.panels)
        if self.forced and (self.optimum or replayed):
            got = self.run if replayed else "the optimum"
            raise ValueError(f"set: expected an agent's run beside it, got {got}")
        if self.layer is not None and not self.forced:
            raise ValueError(f"layer: expected gates to force (--set) beside it, got {self.layer}")
        self.forcing()

    def forcing(self) -> Forcing:
        """The gates that are forced."""
        return Forcing.of(self.forced, self.convention, self.layer)

    def shown(self) -> tuple[str, ...]:
        """The panels that are on: where gates are forced and none were chosen, theirs too."""
        chosen = self.panels != names(by_default=True)
        return self.panels if chosen or not self.forced else (*self.panels, "gates")


class Players:
    """An agent or the optimum, the env that it plays in, and the sessions in which it does.

    Args:
        config: of the env.
        agent: None: the optimum acts.
        title: in words.
        greedy: without exploration.
        discount: gamma of exact values.
        curve: the run's learning curve.
    """

    def __init__(
        self,
        config: EnvConfig,
        agent: Agent | None,
        title: str,
        greedy: bool = True,
        discount: float = DISCOUNT,
        curve: Curve | None = None,
    ) -> None:
        """Nothing is made yet."""
        self.config, self.agent, self.title, self.greedy = config, agent, title, greedy
        self.discount, self.curve = discount, curve
        self.place = ""
        """In words where a run is shown, if not in its own env."""
        self.replay: Replay | None = None
        """What is played again, in one session; nobody else acts then."""
        self.forcing = Forcing({})
        """Of the agent's gates."""
        self._envs: list[gym.Env[Any, Any]] = []

    @classmethod
    def of(cls, flags: Flags) -> "Players":
        """What the flags name.

        Raises:
            FileNotFoundError, ValueError: no such run or checkpoint.
        """
        if flags.run is not None and flags.run.suffix == ".json":
            replay = Replay.load(flags.run)
            if flags.optimum or flags.sampled or flags.checkpoint != "last":
                raise ValueError("run: expected a run's folder with these flags, got a replay")
            players = cls(replay.env, None, f"{flags.run.name} ({replay.player})")
            players.replay = replay
            return players
        if flags.run is None:
            config = EnvConfig().elsewhere(flags.env, flags.env_kwargs)
            return cls(config, None, f"{config.id} (optimum)")
        import_noted(flags.run)
        if flags.optimum:
            run = read_checkpoint(flags.run, modules=flags.modules).config
            where = run.env.elsewhere(flags.env, flags.env_kwargs)
            players = cls(where, None, f"{flags.run.name} (optimum)", discount=run.agent.discount)
            players.move_from(run.env)
            return players
        path = None
        if flags.checkpoint != "last":
            path = flags.run / f"{flags.checkpoint.removesuffix('.json')}.json"
        agent, run = load_agent(flags.run, path, flags.modules, flags.device)
        curve = Curve.of(read_log(flags.run), run.training.total_steps)
        where = run.env.elsewhere(flags.env, flags.env_kwargs)
        title = f"{flags.run.name} ({agent.name})"
        greedy = not flags.sampled
        forcing = flags.forcing()
        if forcing or forcing.convention != "keeps":
            forcing = forcing.on(memory_of(agent))
            agent = forcing.applied(agent)
        title += f", {forcing}" if forcing else ""
        players = cls(where, agent, title, greedy, run.agent.discount, curve)
        players.forcing = forcing
        players.move_from(run.env)
        return players

    def move_from(self, own: EnvConfig) -> None:
        """Say in the title where a run is shown, if not in its own env."""
        if self.config != own:
            self.place = f" in {self.config.in_words()}"
            self.title += self.place

    def sessions(self, lanes: int, seed: int | None, regret: bool = True) -> list[Session]:
        """Sessions side by side, on the seeds `seed` to `seed + lanes - 1` at first.

        Args:
            lanes: how many.
            seed: of the first; None: drawn below a million.
            regret: solve the world where that can be done, to know what actions cost.

        Raises:
            ValueError: the optimum of a world that cannot be solved, an env that does not render,
                or one whose spaces the agent did not learn with.
        """
        first = int(np.random.default_rng().integers(1_000_000)) if seed is None else seed
        exact: ExactValues | None = None
        made: list[Session] = []
        for lane in range(lanes):
            env = self.make_env()
            if lane == 0:
                exact = self._exact_values(env, regret)
                warm_up(env)
            policy: SinglePolicy
            if self.replay is not None:
                return [ReplaySession(env, self.replay, exact)]
            if self.agent is None:
                assert exact is not None
                policy = OptimalController(exact, env)
            else:
                if self.place and lane == 0:
                    known = self.agent.observation_space, self.agent.action_space
                    warn(check_spaces(env, *known, self.config.in_words()))
                policy = Player(self.agent, self.greedy)
            session = Session(env, policy, first + lane, lanes, exact, self.curve, self.forcing)
            made.append(session)
        return made

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of the only episodes that there are; none where any seed can be played."""
        return () if self.replay is None else tuple(e.seed for e in self.replay.episodes)

    def make_env(self) -> gym.Env[Any, Any]:
        """One more env, closed by `close`.

        Raises:
            ValueError: it does not draw.
        """
        env = make_drawn(self.config)
        self._envs.append(env)
        return env

    def close(self) -> None:
        """Close every env."""
        for env in self._envs:
            env.close()

    def _exact_values(self, env: gym.Env[Any, Any], regret: bool) -> ExactValues | None:
        if self.agent is not None or self.replay is not None:
            return exact_values_of(env, self.discount) if regret else None
        try:
            return ExactValues(env, self.discount)
        except TypeError:
            raise ValueError(
                f"optimum: expected one of this package's worlds, got {self.config.id}"
            ) from None
