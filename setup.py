"""The packages: the folders of this repository, installed inside the namespace `sidestep`."""

from setuptools import find_packages, setup

TOPS = ("agents", "envs", "scripts", "sequence")

found = find_packages(include=[name for top in TOPS for name in (top, f"{top}.*")])
setup(packages=[f"sidestep.{name}" for name in found])
