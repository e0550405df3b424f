"""An independent solver in plain Python: the rules as docs/world.md states them, and recursion."""

from dataclasses import dataclass
from functools import cache
from itertools import product

from sidestep.envs import Level, WorldConfig

STEPS = ((0, -1), (0, 1), (1, 0), (-1, 0), (0, 0))
Body = tuple[int, int, int, int]
"""x, y and heading; (0, 0) is a wanderer."""


@dataclass(frozen=True)
class Tick:
    reward: float
    over: bool
    agent: tuple[int, int]
    bodies: tuple[Body, ...]


def moved(level: Level, body: Body) -> list[Body]:
    """Where an obstacle can be after its move, equally likely."""
    x, y, hx, hy = body
    if (hx, hy) == (0, 0):
        ways = [(x + dx, y + dy, 0, 0) for dx, dy in STEPS[:4]]
        return [body if level.is_wall(*way[:2]) else way for way in ways]
    for sign in (1, -1):
        nx, ny = x + sign * hx, y + sign * hy
        if not level.is_wall(nx, ny):
            return [(nx, ny, sign * hx, sign * hy)]
    return [body]


def ticks(
    config: WorldConfig,
    level: Level,
    agent: tuple[int, int],
    bodies: tuple[Body, ...],
    wait: int,
    action: int,
) -> list[Tick]:
    """Everything that one tick can bring, equally likely."""
    dx, dy = STEPS[action]
    to = (agent[0] + dx, agent[1] + dy)
    if level.is_wall(*to):
        to = agent
    choices = [moved(level, body) if wait == 0 else [body] for body in bodies]
    results = []
    for after in product(*choices):
        hits = 0
        for old, new in zip(bodies, after, strict=True):
            swapped = new[:2] == agent and old[:2] == to
            hits += new[:2] == to or (swapped and config.swap_hits)
        reward, over = config.step_reward, False
        if hits and config.hit_ends:
            reward, over = reward + config.hit_reward, True
        else:
            reward += hits * config.hit_reward
            if to == level.goal:
                reward, over = reward + config.goal_reward, True
        results.append(Tick(reward, over, to, after))
    return results


def best(
    config: WorldConfig, max_ticks: int, discount: float, bodies: tuple[Body, ...], wait: int
) -> float:
    """The largest expected discounted return from the start, by search over everything."""
    level = config.map

    @cache
    def value(tick: int, agent: tuple[int, int], bodies: tuple[Body, ...], wait: int) -> float:
        if tick == max_ticks:
            return 0.0
        later = config.obstacle_period - 1 if wait == 0 else wait - 1
        options = []
        for action in range(5):
            outcomes = ticks(config, level, agent, bodies, wait, action)
            total = 0.0
            for o in outcomes:
                rest = 0.0 if o.over else value(tick + 1, o.agent, o.bodies, later)
                total += o.reward + discount * rest
            options.append(total / len(outcomes))
        return max(options)

    return value(0, tuple(level.start), bodies, wait)


def starts(config: WorldConfig) -> list[tuple[tuple[Body, ...], int]]:
    """Every start, equally likely, alike ones as often as they occur."""
    level = config.map
    fixed = tuple((o.x, o.y, *o.heading) for o in level.obstacles)
    if not config.random_starts:
        return [(fixed, 0)]
    choices: list[list[Body]] = []
    for obstacle in level.obstacles:
        if obstacle.is_wanderer:
            choices.append([(obstacle.x, obstacle.y, 0, 0)])
            continue
        left, top, right, bottom = level.track(obstacle)
        (hx, hy) = obstacle.heading
        choices.append(
            [
                (x, y, sign * hx, sign * hy)
                for x in range(left, right + 1)
                for y in range(top, bottom + 1)
                for sign in (1, -1)
            ]
        )
    return [(bodies, p) for bodies in product(*choices) for p in range(config.obstacle_period)]
