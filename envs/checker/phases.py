"""The phases of `check_vector_env`: what is played, and what must hold of it."""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, iterate
from numpy.typing import NDArray

from .plays import LaneCall, Move, Subject, compare, difference, drive, join
from .reference import Reference
from .returned import Finding, check_reset_returns, check_step_returns

Maker = Callable[[], gym.Env[Any, Any]]
FURTHER = (1, 1009, 2, 31, 500, 77, 12345, 99991)
"""What other seeds are more than the first: 0 alone cannot tell s + i from 10 s + i."""


class Checks:
    """The phases of a check, each a generator of findings.

    Args:
        env: the vector env.
        ticks: length of each play.
        seed: of the plays.
        ignored: keys of `info` that are not compared.
    """

    def __init__(
        self, env: VectorEnv[Any, Any, Any], ticks: int, seed: int, ignored: Sequence[str] = ()
    ) -> None:
        """Draw the actions."""
        self.env, self.seed, self.n, self.ignored = env, seed, env.num_envs, ignored
        mode = env.metadata.get("autoreset_mode")
        self.mode = mode if isinstance(mode, AutoresetMode) else AutoresetMode.NEXT_STEP
        space = deepcopy(env.action_space)
        space.seed(seed)
        self.actions = [space.sample() for _ in range(ticks)]
        self.rng = np.random.default_rng(seed)

    def script(self, seed: Any = None) -> list[Move]:
        """A reset and all steps."""
        first = Move(seed=self.seed if seed is None else seed)
        return [first, *(Move(actions) for actions in self.actions)]

    def play(self, script: Sequence[Move] | None = None) -> list[list[LaneCall]]:
        """The plays of all lanes."""
        subject = Subject(self.env, self.mode)
        return drive(subject, self.script() if script is None else script)

    def spaces(self) -> Iterator[Finding]:
        """Batched spaces and metadata."""
        env = self.env
        for name in ("observation_space", "action_space"):
            batched = batch_space(getattr(env, f"single_{name}"), self.n)
            if getattr(env, name) != batched:
                yield Finding("spaces", f"{name} {batched}", str(getattr(env, name)))
        mode = env.metadata.get("autoreset_mode")
        if not isinstance(mode, AutoresetMode):
            expected = "an AutoresetMode as metadata['autoreset_mode']"
            yield Finding("spaces", expected, f"{mode!r}; checked as NextStep")

    def returns(self) -> Iterator[Finding]:
        """All that comes back in one play; what came earlier must stay as it was."""
        env, kept = self.env, list[tuple[Any, Any, str]]()
        returned: Any = env.reset(seed=self.seed)
        yield from check_reset_returns(env, returned, None, "from the first reset")
        kept.append((returned, deepcopy(returned), "the first reset"))
        ended, endings = np.zeros(self.n, bool), 0
        for tick, actions in enumerate(self.actions):
            given = deepcopy(actions)
            returned, when = env.step(actions), f"in step {tick}"
            faults = list(check_step_returns(env, self.mode, returned, ended, when))
            yield from faults
            if any(fault.rule == "returns" for fault in faults):
                return
            if difference(given, actions, "actions") is not None:
                yield Finding("inputs", "actions untouched", f"changed {when}")
            kept.append((returned, deepcopy(returned), f"step {tick}"))
            ended = np.asarray(returned[2]) | np.asarray(returned[3])
            endings += int(ended.sum())
            if self.mode is AutoresetMode.DISABLED and ended.any():
                returned = env.reset(options={"reset_mask": ended.copy()})
                yield from check_reset_returns(env, returned, ended, f"after step {tick}")
                kept.append((returned, deepcopy(returned), f"the reset after step {tick}"))
        for seed, call in ((None, "a second reset"), (self.seed + 1, "a reset with a seed")):
            returned = env.reset(seed=seed)
            yield from check_reset_returns(env, returned, None, f"from {call}")
            kept.append((returned, deepcopy(returned), call))
            returned = env.step(self.actions[0])
            kept.append((returned, deepcopy(returned), f"the step after {call}"))
        for then, copy, call in kept:
            changed = difference(copy, then, "")
            if changed is not None:
                where = f"what {call} returned{changed.place and ' at ' + changed.place}"
                yield Finding(
                    "buffers", "returned arrays that stay as they are", f"{where} changed"
                )
                break
        if not endings:
            ticks = f"{len(self.actions)} ticks"
            yield Finding("autoreset", f"an episode that ends within {ticks}", "none; give more")

    def overwriting(self) -> Iterator[Finding]:
        """A play whose returned arrays are overwritten as they come is no other play."""
        script = [*self.script(), Move(), *self.script()[1:], *self.script(self.seed + 1)]
        plays = self.play(script)
        careless = Subject(self.env, self.mode)
        careless.overwrites = True
        changed = "the same play when returned arrays are overwritten"
        yield from self.unlike(plays, drive(careless, script), "buffers", changed)

    def ignored_actions(self) -> Iterator[Finding]:
        """NEXT_STEP: the action of a step that resets a lane is ignored."""
        if self.mode is not AutoresetMode.NEXT_STEP:
            return
        plays = self.play()
        moves = self.script()
        for tick in range(1, len(self.actions)):
            over = [plays[lane][tick].ended for lane in range(self.n)]  # call 0 is the reset
            moves[tick + 1] = Move(self.mixed(self.actions[tick], self.actions[tick - 1], over))
        ignored = "the same play whatever the action of a step that resets a lane"
        yield from self.unlike(plays, self.play(moves), "autoreset", ignored)

    def mixed(self, actions: Any, others: Any, chosen: Sequence[Any]) -> Any:
        """`actions`, but those of chosen lanes from `others`."""
        pairs = zip(
            iterate(self.env.action_space, actions),
            iterate(self.env.action_space, others),
            chosen,
            strict=True,
        )
        return join(self.env.single_action_space, [b if use else a for a, b, use in pairs])

    def seeding(self) -> Iterator[Finding]:
        """The same seed is the same play, and so is what comes after a reset without one.

        Where episodes of one seed differ, those of other seeds must too: something is drawn.
        """
        plays = self.play()
        yield from self.unlike(plays, self.play(), "seeding", "the same play of the same seed")
        further = [*self.script(), Move(), *self.script()[1:]]
        first, second = self.play(further), self.play(further)
        expected = "the same play of the same seed after a second reset, without seed"
        yield from self.unlike(first, second, "seeding", expected)
        plays = self.play()
        if self.same(plays, self.play([Move(), *self.script()[1:]])):
            return  # nothing is drawn, for all one can see
        seeds = [self.seed + further for further in FURTHER]
        if all(self.same(plays, self.play(self.script(seed))) for seed in seeds):
            expected = "another play of another seed, as one seed's episodes differ"
            got = f"the same for the seeds {', '.join(map(str, [self.seed, *seeds]))}"
            yield Finding("seeding", expected, got)

    def same(self, plays: list[list[LaneCall]], others: list[list[LaneCall]]) -> bool:
        """Whether no lane's plays differ, as far as both go."""
        return next(self.unlike(plays, others, "", ""), None) is None

    def lanes(self) -> Iterator[Finding]:
        """A seed a lane, and lanes that do not depend on their places."""
        plays, seeds = self.play(), [self.seed + lane for lane in range(self.n)]
        for first in (self.seed, *(self.seed + further for further in FURTHER[:2])):
            own = self.play(self.script(first))
            listed = self.play(self.script([first + lane for lane in range(self.n)]))
            expected = "reset(seed=[s, s + 1, ...]) to play what reset(seed=s) plays"
            yield from self.unlike(own, listed, "lanes", expected)
            script = [Move(seed=first + 1)]
            for actions in self.actions:
                each = list(iterate(self.env.action_space, actions))
                script.append(Move(join(self.env.single_action_space, [*each[1:], each[0]])))
            expected = "lane i of reset(seed=s + 1) to play what lane i + 1 of reset(seed=s) plays"
            yield from self.unlike(own[1:], self.play(script)[:-1], "lanes", expected)
        script = [Move(seed=seeds[::-1])]
        for actions in self.actions:
            turned = list(iterate(self.env.action_space, actions))[::-1]
            script.append(Move(join(self.env.single_action_space, turned)))
        expected = "a lane's play to follow from its seed and actions alone"
        yield from self.unlike(plays, self.play(script)[::-1], "lanes", expected)
        try:
            self.env.reset(seed=seeds + seeds)  # type: ignore[arg-type]  # lists too
        except Exception:
            return
        yield Finding("lanes", f"an error for {2 * self.n} seeds of {self.n} lanes", "none")

    def masked_resets(self) -> Iterator[Finding]:
        """A reset of some lanes begins theirs anew and leaves the others alone."""
        if self.n == 1:
            return
        mask = np.arange(self.n) % 2 == 0
        middle = len(self.actions) // 2
        yield from self.masked_reset(mask, self.actions[:middle])
        plain = self.script()
        seeds = [self.seed + lane if mask[lane] else None for lane in range(self.n)]
        reset = Move(seed=list(seeds), mask=mask)
        plays = self.play(plain)
        script = [*plain[: middle + 1], reset, *plain[middle + 1 :]]
        others = self.play(script)
        left = np.flatnonzero(~mask)
        expected = "lanes outside of the mask to play on as if there had been no reset"
        yield from self.unlike(
            [plays[i] for i in left], [others[i] for i in left], "reset_mask", expected, left
        )
        again = self.play([plain[0], *plain[middle + 1 :]])
        chosen = np.flatnonzero(mask)
        tails = [others[i][-len(again[i]) :] for i in chosen]
        expected = "lanes of the mask to play what their seeds play"
        yield from self.unlike([again[i] for i in chosen], tails, "reset_mask", expected, chosen)

    def masked_reset(self, mask: NDArray[np.bool_], actions: Sequence[Any]) -> Iterator[Finding]:
        """One masked reset, looked at."""
        subject = Subject(self.env, self.mode)
        plays = drive(subject, [Move(seed=self.seed), *(Move(a) for a in actions)])
        kept = deepcopy(subject.returned)
        own = mask.copy()
        options = {
            "reset_mask": own,
        }
        returned = self.env.reset(options=options)
        yield from check_reset_returns(self.env, returned, mask, "from a masked reset")
        if list(options) != ["reset_mask"] or options["reset_mask"] is not own:
            yield Finding("inputs", "options untouched", f"keys {sorted(options)} after reset")
        if not np.array_equal(own, mask):
            yield Finding("inputs", "the reset mask untouched", f"{own.tolist()}")
        changed = difference(kept, subject.returned, "what was returned")
        if changed is not None:
            expected = "returned arrays that stay as they are"
            yield Finding("buffers", expected, f"a masked reset that changed {changed.place}")
        shown = list(iterate(self.env.observation_space, returned[0]))
        for lane in np.flatnonzero(~mask):
            found = difference(plays[lane][-1].obs, shown[lane], f"obs of lane {lane}")
            if found is not None:
                expected = "lanes outside of the mask to show what they showed"
                yield Finding(
                    "reset_mask", expected, f"{found.place} {found.got}, not {found.expected}"
                )
                return

    def wrong_masks(self) -> Iterator[Finding]:
        """Masks that are none are refused."""
        wrong: dict[str, Any] = {
            "a list": [True] * self.n,
            "integers": np.ones(self.n, dtype=np.int64),
            f"{self.n + 1} entries": np.ones(self.n + 1, dtype=np.bool_),
            "no lane in it": np.zeros(self.n, dtype=np.bool_),
        }
        self.env.reset(seed=self.seed)
        for words, mask in wrong.items():
            try:
                self.env.reset(options={"reset_mask": mask})
            except Exception:
                continue
            yield Finding("reset_mask", f"an error for a mask of {words}", "none")
        self.env.reset(seed=self.seed)

    def beside(self, make: Maker, tolerance: float, masked: bool = False) -> Iterator[Finding]:
        """The same script for the vector env and for single envs."""
        script = [*self.script(), *self.script(self.seed + FURTHER[1])]
        if masked:
            for place in range(len(script), 1, -7):
                mask = self.rng.random(self.n) < 0.5
                if mask.any():
                    script.insert(place, Move(mask=mask))
        reference = Reference(make, self.n, self.mode, self.env.action_space)
        try:
            theirs = drive(reference, script)
        finally:
            reference.close()
        rule = "reset_mask" if masked else "single"
        expected = "lane i to play what a single env plays with seed s + i"
        expected += ", reset masks among its calls" if masked else ""
        yield from self.unlike(theirs, self.play(script), rule, expected, tolerance=tolerance)

    def unlike(
        self,
        expected: Sequence[Sequence[LaneCall]],
        got: Sequence[Sequence[LaneCall]],
        rule: str,
        words: str,
        names: Sequence[int] | NDArray[np.int64] | None = None,
        tolerance: float = 0.0,
    ) -> Iterator[Finding]:
        """A finding for the first lane whose plays differ."""
        for k, (one, other) in enumerate(zip(expected, got, strict=True)):
            length = min(len(one), len(other))
            found = compare(one[:length], other[:length], tolerance, self.ignored)
            if found is not None:
                lane = k if names is None else names[k]
                where = f"lane {lane}, {found.place}"
                yield Finding(rule, words, f"{found.got}, not {found.expected} ({where})")
                return
