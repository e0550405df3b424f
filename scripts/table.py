"""`sidestep table`: the figures of any runs, finished or not, in one table, or as CSV."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from sidestep.scripts.shared.console import check_folder, command, console, say, warn
from sidestep.scripts.shared.groups import Evaluated
from sidestep.scripts.studies.found import found_run, is_agents, run_folders
from sidestep.scripts.studies.tables import runs_tables, settings_table, write_csv

EXAMPLES = """\
  sidestep table runs
  sidestep table runs/none runs/gru --out memories.csv
  sidestep table runs/textbook runs/default --settings"""


@dataclass(frozen=True)
class Options:
    """Show what was measured of runs last: at their end, or on their way."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Folders of runs, or folders with such folders in them, however deep."""
    out: Path | None = None
    """Also write a CSV file, a line a run."""
    settings: bool = False
    """One table of all runs, a column a run: every setting in which they differ, then the
    figures."""
    modules: tuple[str, ...] = ()
    """Modules to import first: of envs whose id is `module:id`, or that register what runs are
    made of."""

    def __post_init__(self) -> None:
        """Check that there is a folder."""
        if not self.runs:
            raise ValueError("runs: expected at least one folder, got none")


def run(options: Options) -> None:
    """Find the runs, and show them.

    Raises:
        ValueError: there are none.
    """
    check_folder(options.out, "out")
    runs = list(_found(options))
    if not runs:
        places = ", ".join(str(folder) for folder in options.runs)
        raise ValueError(f"runs: expected runs of `sidestep train` in {places}, got none")
    for shown in [settings_table(runs)] if options.settings else runs_tables(runs):
        console.print(shown)
    if options.out is not None:
        write_csv(options.out, runs)
        say(f"Table: {options.out}")


def _found(options: Options) -> Iterator[Evaluated]:
    """Every run once; a damaged one is told, and left out, as are runs of other commands."""
    seen = set[Path]()
    for place in options.runs:
        for folder in run_folders(place):
            if folder.resolve() in seen:
                continue
            seen.add(folder.resolve())
            try:
                if is_agents(folder):
                    yield found_run(folder, options.modules)
            except (OSError, ValueError) as error:
                warn(f"left out: {' '.join(str(error).split())}")


main = command("table", Options, run, EXAMPLES)

if __name__ == "__main__":
    main()
