"""lstat of a sample of paths, in random order, by names from the mount's root."""

from ..client import drop_caches
from .registry import LAYERED, WITH_NATIVE, scenario

COUNT = 2000
# A cold lookup waits for the disk.
COLD = 1000
# One a millisecond.
RARE = 300


def lists(bench, stack, count):
    paths = stack.sample(stack.paths, count)
    existing = bench.client.list("existing", paths)
    absent = bench.client.list("absent", [path + b"~" for path in paths])
    return existing, absent, len(paths)


@scenario("lookup", kinds=LAYERED, deep=True, rounds=2)
def lookup(bench, system, stack):
    existing, absent, count = lists(bench, stack, COUNT)
    system.warm(stack)
    with system.place(stack) as place:
        bench.measure(place, "lookup", lambda: bench.client.seconds(place.target, "lstat", existing), count)
        bench.measure(place, "lookup-again", lambda: bench.client.seconds(place.target, "lstat", existing), count)
        place.again()
        bench.measure(place, "absent", lambda: bench.client.seconds(place.target, "lstat", absent), count)


@scenario("rare", rounds=2)
def rare(bench, system, stack):
    """As a program does that computes in between: where it goes on after an answer matters more than the answer."""
    system.warm(stack)
    with system.place(stack) as place:
        bench.client.seconds(place.target, "absent", ".", RARE)
        bench.measure(place, "absent-rare", lambda: bench.client.seconds(place.target, "absent-rarely", ".", RARE), RARE)


@scenario("lookup-cold", kinds=WITH_NATIVE, deep=True)
def lookup_cold(bench, system, stack):
    existing, absent, count = lists(bench, stack, COLD)
    for workload, paths in (("lookup-cold", existing), ("absent-cold", absent)):
        drop_caches()
        with system.place(stack) as place:
            bench.measure(place, workload, lambda: bench.client.seconds(place.target, "lstat", paths), count)
