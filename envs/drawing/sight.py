"""What an agent sees of a scene, and what it does not."""

from typing import NamedTuple

from sidestep.envs.config import WorldConfig
from sidestep.envs.observations.table import OBSERVATIONS
from sidestep.envs.rules.grid import Cell
from sidestep.envs.world import Scene


class Sight(NamedTuple):
    """How a scene looks through a world's observations."""

    every: int = 1
    """Obstacles are seen on ticks 0, n, 2 n, ... of the episode."""
    headings: bool = True
    phase: bool = True
    radius: int | None = None
    """Cells to each side of the agent that are seen; None: all."""
    ghosts: bool = True
    """Draw what is not seen as ghosts, headings and phase as they are; else leave it out."""
    obstacles: bool = True
    """Obstacles are seen at all."""

    @classmethod
    def of(cls, config: WorldConfig, ghosts: bool = True) -> "Sight":
        """What a configuration's observations tell."""
        view, shows = config.view, OBSERVATIONS[config.observation].shows
        return cls(
            view.every,
            headings=shows.headings and not view.hide_headings,
            phase=shows.phase and not view.hide_phase,
            radius=view.radius if shows.near else None,
            ghosts=ghosts,
            obstacles=shows.obstacles,
        )

    @property
    def is_whole(self) -> bool:
        """Whether nothing is out of sight."""
        told = self.obstacles and self.headings and self.phase
        return told and self.every == 1 and self.radius is None

    def reaches(self, agent: Cell, cell: Cell) -> bool:
        """Whether a cell is near enough."""
        far = max(abs(cell.x - agent.x), abs(cell.y - agent.y))
        return self.radius is None or far <= self.radius

    def shows(self, scene: Scene, number: int) -> bool:
        """Whether obstacle `number` of the scene is seen in its tick."""
        x, y, _, _ = scene.obstacles[number]
        return (
            self.obstacles
            and scene.tick % self.every == 0
            and self.reaches(scene.agent, Cell(x, y))
        )

    def applied(self, scene: Scene) -> Scene:
        """The scene without the phase, if that is neither seen nor a ghost: all look ready."""
        return scene if self.phase or self.ghosts else scene._replace(phase=0)
