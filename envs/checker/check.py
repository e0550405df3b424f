"""A checker for any `gymnasium.vector.VectorEnv`: `check_vector_env`."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gymnasium.vector import VectorEnv

from .phases import Checks, Maker
from .returned import Finding


class FaultyVectorEnv(AssertionError):
    """A vector env breaks the contract; `findings` has every fault."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        """One line a finding."""
        super().__init__("\n".join(map(str, findings)))
        self.findings = tuple(findings)


def check_vector_env(
    env: VectorEnv[Any, Any, Any],
    single: Maker | None = None,
    ticks: int = 200,
    seed: int = 0,
    tolerance: float = 0.0,
    ignored: Sequence[str] = (),
) -> None:
    """Check that a vector env keeps Gymnasium's contract; it is played, and not closed.

    Spaces and dtypes of all that is returned; `info` and its masks; what the autoreset mode of its
    metadata asks for, `final_obs` and `final_info` among it; that arrays returned earlier do not
    change, and that changing them changes nothing; that arguments stay as they were; seeds, for all
    lanes and for each, several of them, and that they make a difference where anything is drawn;
    that lanes do not depend on each other; reset masks; and, where `single` is given, that lane i
    after `reset(seed=s)` plays what one env plays after `reset(seed=s + i)`.

    Args:
        env: the vector env. Short episodes make the check sharp.
        single: makes one env of the same kind.
        ticks: length of each play; some episode must end within it.
        seed: of the plays and their actions; other seeds are played too.
        tolerance: how far apart the floats of vector env and single env may be.
        ignored: keys of `info`, those of dicts within it too, that are not compared: clock times.

    Raises:
        TypeError: not a vector env.
        FaultyVectorEnv: with every fault on a line: what was expected, what came.
    """
    findings = find_faults(env, single, ticks, seed, tolerance, ignored)
    if findings:
        raise FaultyVectorEnv(findings)


def find_faults(
    env: VectorEnv[Any, Any, Any],
    single: Maker | None = None,
    ticks: int = 200,
    seed: int = 0,
    tolerance: float = 0.0,
    ignored: Sequence[str] = (),
) -> list[Finding]:
    """What `check_vector_env` finds, as a list; of faults that repeat the first.

    Raises:
        TypeError: not a vector env.
        ValueError: fewer than two ticks.
    """
    if not isinstance(env, VectorEnv):
        raise TypeError(f"env: expected a gymnasium.vector.VectorEnv, got {type(env).__name__}")
    if ticks < 2:
        raise ValueError(f"ticks: expected at least 2, got {ticks}")
    checks = Checks(env, ticks, seed, ignored)
    phases: list[tuple[str, str, Callable[[], Iterator[Finding]]]] = [
        ("spaces", "reading its spaces", checks.spaces),
        ("returns", "a play", checks.returns),
        ("buffers", "a play whose returned arrays are overwritten", checks.overwriting),
        ("autoreset", "a play with other actions in resetting steps", checks.ignored_actions),
        ("seeding", "a play of the same seed", checks.seeding),
        ("lanes", "a play with a seed for each lane", checks.lanes),
        ("reset_mask", "a play with a reset mask", checks.masked_resets),
        ("reset_mask", "a reset after wrong masks", checks.wrong_masks),
    ]
    if single is not None:
        phases += [
            ("single", "a play beside single envs", lambda: checks.beside(single, tolerance)),
            (
                "reset_mask",
                "a play with reset masks beside single envs",
                lambda: checks.beside(single, tolerance, masked=True),
            ),
        ]
    return list(_run(phases))


def _run(phases: Sequence[tuple[str, str, Callable[[], Iterator[Finding]]]]) -> Iterator[Finding]:
    """Each fault once; an error that something malformed was bound to raise is none of its own."""
    seen, malformed = set[tuple[str, str]](), False
    for rule, words, phase in phases:
        try:
            for finding in phase():
                malformed |= finding.rule == "returns"
                if finding[:2] not in seen:
                    seen.add(finding[:2])
                    yield finding
        except Exception as error:  # whatever an env of others raises is a finding
            if not malformed:
                got = " ".join(f"{type(error).__name__}: {error}".split())
                yield Finding(rule, f"no error in {words}", got[:200])
