"""The former name of `sidestep.scripts.figures.shapes`, for one version."""

from sidestep.scripts.figures.shapes import main

if __name__ == "__main__":
    main()
