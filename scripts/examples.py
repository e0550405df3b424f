"""`sidestep examples`: the trained runs that come with the package; and a run made as small."""

from dataclasses import dataclass
from pathlib import Path

from sidestep.scripts.shared.console import command, say
from sidestep.scripts.shared.examples import example as example
from sidestep.scripts.shared.examples import listed_examples
from sidestep.scripts.shared.words import tell
from sidestep.sequence.fitting.stripped import strip_run

EXAMPLES = """\
  sidestep examples
  sidestep watch --example glimpse-gru
  sidestep examples --pack runs/gru --out gru-to-show"""


@dataclass(frozen=True)
class Options:
    """List the trained runs that come with the package, or pack one of yours as they are."""

    pack: Path | None = None
    """A run's folder, of which --out gets a copy without what only training needs: to be watched,
    recorded and evaluated, not gone on with."""
    out: Path | None = None
    """The copy's folder, which must be new."""

    def __post_init__(self) -> None:
        """Raise ValueError where only one of both is given."""
        if (self.pack is None) != (self.out is None):
            given, missing = ("--out", "--pack") if self.pack is None else ("--pack", "--out")
            raise ValueError(f"expected --pack and --out together, got {given} without {missing}")


def run(options: Options) -> None:
    """List the examples, or pack a run."""
    if options.pack is None or options.out is None:
        tell(listed_examples().rstrip())
        return
    strip_run(options.pack, options.out)
    before, after = (size_of(folder) for folder in (options.pack, options.out))
    say(f"{options.out}: {after / 1000:,.0f} kB of {before / 1000:,.0f} kB, for watching only")


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


main = command("examples", Options, run, EXAMPLES)

if __name__ == "__main__":
    main()
