"""What a scenario is, and the list of all."""

from collections.abc import Callable
from dataclasses import dataclass

LAYERED = frozenset({"overlayfs", "fuse-overlayfs", "mica"})
WITH_NATIVE = LAYERED | {"native"}
WITH_VOLATILE = LAYERED | {"volatile"}
# Scenarios that compare mica with another program instead of mounts.
ALONE = frozenset()

SCENARIOS = []


@dataclass(frozen=True)
class Scenario:
    """`body(bench, system, stack)` measures all of the scenario's rows once on one system. `stack(bench, depth)`
    makes what it runs on. `deep`: once for each number of layers. `rounds`: times the number of rounds asked for."""

    name: str
    body: Callable
    kinds: frozenset
    stack: Callable
    deep: bool
    rounds: int
    counted: bool


def tree(bench, depth):
    return bench.stack(depth)


def data(bench, _):
    return bench.data()


def scenario(name, kinds=LAYERED, stack=tree, deep=False, rounds=1, counted=True):
    """Decorates a scenario's body."""

    def register(body):
        SCENARIOS.append(Scenario(name, body, kinds, stack, deep, rounds, counted))
        return body

    return register
