"""The score of what is played in a window: episodes, successes, returns."""

from collections.abc import Sequence
from typing import Any


class Tally:
    """Counts episodes as they are played."""

    def __init__(self) -> None:
        """Nothing played yet."""
        self.episodes = self.successes = self.ticks = 0
        self.total, self.over = 0.0, False
        self.returns: list[float] = []

    def begin(self) -> None:
        """An episode begins; one that was not over is not counted."""
        self.ticks, self.total, self.over = 0, 0.0, False

    def count(self, reward: float, over: bool, success: bool) -> None:
        """A tick was played."""
        self.ticks += 1
        self.total += reward
        self.over = over
        if over:
            self.episodes += 1
            self.successes += success
            self.returns.append(self.total)

    def get_state(self) -> tuple[Any, ...]:
        """What `set_state` takes to forget all that is played from here on."""
        counts = (self.episodes, self.successes, self.ticks, self.total, self.over)
        return (*counts, len(self.returns))

    def set_state(self, state: tuple[Any, ...]) -> None:
        """Go back to an earlier `get_state()`."""
        self.episodes, self.successes, self.ticks, self.total, self.over, known = state
        del self.returns[known:]

    def status(self, with_success: bool = True) -> str:
        """The score in a line; the episode is counted from 1."""
        number = self.episodes + (not self.over)
        line = f"episode {number}   tick {self.ticks}   return {self.total:.2f}"
        return line + f"   successes {self.successes}/{self.episodes}" * with_success


def total(present: Tally, tallies: Sequence[Tally]) -> Tally:
    """The score of several together; ticks and return are those of `present`."""
    score = Tally()
    score.ticks, score.total, score.over = present.ticks, present.total, present.over
    for tally in tallies:
        score.episodes += tally.episodes
        score.successes += tally.successes
        score.returns += tally.returns
    return score
