"""`sidestep bench`: measure, and write what was measured to runs/bench, or to `--out`."""

import sys

from sidestep.scripts.shared.words import listed, run_named

BENCHES = {
    "all": "every section of the results page, at one commit and on a quiet machine",
    "world": "steps per second of the world, beside Gymnasium's",
    "learning": "seconds of training to 95 and 99 % success, beside Stable-Baselines3",
    "peers": "settings with which Stable-Baselines3's learners do best there",
    "tasks": "both learners with their defaults on what everybody tries first",
    "ablations": "what each setting of the presets does on the default world",
    "throughput": "env steps per second while training, beside Stable-Baselines3",
    "memory": "success and regret of every learner with every memory on three worlds",
    "view": "time of a frame of the viewer, panel by panel",
    "solver": "time and memory of the exact optimum as the level grows",
    "language": "character models, their speed, and translation",
    "sequence": "the recurrent layers, beside torch.nn",
    "devices": "training on a GPU beside the CPU, by lanes and network",
    "scaling": "several jobs at once beside one",
    "house": "files on the way of an action, and how the rooms of the code stand",
}


def main(args: list[str] | None = None) -> None:
    """Run one bench; exit code 2 when there is none of that name."""
    args = sys.argv[1:] if args is None else args
    usage = f"usage: sidestep bench NAME [options]\n\n{listed(BENCHES)}"
    package = "sidestep.scripts.benches"
    run_named("sidestep bench", args, BENCHES, "a bench", usage, package)


if __name__ == "__main__":
    main()
