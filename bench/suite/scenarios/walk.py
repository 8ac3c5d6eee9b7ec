"""readdir and lstat of everything, by find(1); alone, and four at once."""

import os
import subprocess

from ..client import drop_caches, find
from ..daemon import descriptors, memory
from ..workspace import Failed
from .registry import LAYERED, WITH_NATIVE, scenario


@scenario("walk", kinds=LAYERED, deep=True)
def walk(bench, system, stack):
    system.warm(stack)
    with system.place(stack) as place:
        bench.measure(place, "walk", lambda: find(place.target))
        bench.measure(place, "walk-again", lambda: find(place.target))
        if system.is_fuse:
            bench.record(system.name, "daemon-memory", memory(place.daemons))
            bench.record(system.name, "daemon-descriptors", descriptors(place.daemons))


@scenario("walk-cold", kinds=WITH_NATIVE, deep=True)
def walk_cold(bench, system, stack):
    drop_caches()
    with system.place(stack) as place:
        bench.measure(place, "walk-cold", lambda: find(place.target))


def four_walks(target):
    walks = [
        subprocess.Popen(["find", target, "-size", "+1000000G"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for _ in range(4)
    ]
    if any([walk.wait() for walk in walks]):
        raise Failed(f"find in {target} failed")


@scenario("walks4", kinds=LAYERED)
def walks(bench, system, stack):
    drop_caches()
    with system.place(stack) as place:
        bench.measure(place, "walks4-cold", lambda: four_walks(place.target))
        system.warm(stack)
        place.again()
        bench.measure(place, "walks4", lambda: four_walks(place.target))


@scenario("mount", kinds=LAYERED, deep=True, rounds=3, counted=False)
def mount(bench, system, stack):
    system.warm(stack)
    with system.place(stack, mounted=False) as place:
        bench.measure(place, "mount", lambda: (place.mount(), os.listdir(place.target)))
