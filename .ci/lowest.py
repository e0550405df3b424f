"""Print every lower bound of pyproject.toml as a pin: what the tests run with once, in CI.

torch keeps the pin of constraints.txt: a second version of it would be gigabytes a run.
"""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOLS = {"mypy", "ruff", "triton"}
"""Of no test here: they have steps of their own, at pins of their own."""


def pins() -> list[str]:
    """`name==version` of each dependency, those of all extras included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    lines = [line for group in (project["dependencies"], *extras) for line in group]
    bounds = {tuple(line.split(">=")) for line in lines}
    low = {name: version for name, version in sorted(bounds) if name not in TOOLS}
    tested = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    low["torch"] = next(line.split("==")[1] for line in tested if line.startswith("torch=="))
    return [f"{name}=={version}" for name, version in low.items()]


if __name__ == "__main__":
    print("\n".join(pins()))
