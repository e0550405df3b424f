"""What training says while it goes on: figures in words, lines of text, and a bar."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any

from sidestep.sequence.fitting.runs import Progress, Report


def figures_of(progress: Progress, begin: int = 0) -> str:
    """Put the figures of an update into words: speed, return, success, exploration.

    Args:
        progress: of the update.
        begin: env steps at which its seconds began.
    """
    rate = (progress.steps - begin) / max(progress.seconds, 1e-9)
    words = [f"{rate / 1000:,.0f}k steps/s" if rate >= 10_000 else f"{rate:,.0f} steps/s"]
    for name, text in (("return", "return {:.2f}"), ("success", "success {:.0%}")):
        if name in progress.metrics:
            words.append(text.format(progress.metrics[name]))
    for name in ("epsilon", "entropy"):
        if name in progress.metrics:
            words.append(f"{name} {progress.metrics[name]:.2f}")
    return "  ".join(words)


def line_of(progress: Progress, begin: int = 0) -> str:
    """Put an update, and an evaluation that was made with it, into one line."""
    line = f"{progress.steps:,} steps  {figures_of(progress, begin)}"
    if progress.evaluation is not None:
        mean, *_ = progress.evaluation["return_mean"]
        line += f"  evaluation: return {mean:.2f}"
        if "success" in progress.evaluation:
            line += f", success {progress.evaluation['success'][0]:.0%}"
    return line


class Lines:
    """Prints a line every so many updates, and with every evaluation.

    Args:
        begin: env steps made before.
        interval: updates between two lines.
        say: what prints a line.
    """

    def __init__(self, begin: int, interval: int, say: Callable[[str], Any] = print) -> None:
        """Begin with the first update."""
        self.begin, self.interval, self.say, self.updates = begin, interval, say, 0

    def __call__(self, progress: Progress) -> None:
        """Print, where it is time."""
        self.updates += 1
        if self.updates % self.interval == 0 or progress.evaluation is not None:
            self.say(line_of(progress, self.begin))


class Bar:
    """Draws a progress bar on the standard error; use it as a context.

    Args:
        begin: env steps made before.
        end: env steps at which training is over.
    """

    def __init__(self, begin: int, end: int) -> None:
        """Draw it empty."""
        from tqdm.auto import tqdm

        self.begin, self.bar = (
            begin,
            tqdm(total=max(end - begin, 0), unit=" steps", unit_scale=True),
        )

    def __enter__(self) -> "Bar":
        """The bar itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave it as it is."""
        self.bar.close()

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self.bar.write(line)

    def __call__(self, progress: Progress) -> None:
        """Draw how far it is, with the figures of the update."""
        self.bar.set_postfix_str(figures_of(progress, self.begin), refresh=False)
        self.bar.update(min(progress.steps - self.begin, self.bar.total) - self.bar.n)


@contextmanager
def reporting(
    callback: Report | None, begin: int, lines: int = 0, bar_to: int = 0
) -> Iterator[Report]:
    """Give the report that says what is asked for, and then calls `callback`.

    Args:
        callback: whose answer stops training or not.
        begin: env steps made before.
        lines: updates between two lines of text; 0: none.
        bar_to: env steps at which a progress bar is full; 0: none.
    """
    with ExitStack() as stack:
        said: list[Report] = []
        say: Callable[[str], None] = print
        if bar_to:
            bar = stack.enter_context(Bar(begin, bar_to))
            said, say = [bar], bar.say
        if lines:
            said.append(Lines(begin, lines, say))

        def report(progress: Progress) -> bool | None:
            for part in said:
                part(progress)
            return None if callback is None else callback(progress)

        yield report
