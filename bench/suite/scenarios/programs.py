"""What programs do: files are written before they are looked at, replaced, appended to, by several clients and on a machine
that has other work."""

import os

from .. import inputs
from ..workspace import run
from .registry import LAYERED, WITH_NATIVE, scenario

WRITTEN = 2000
LINES, BLOCKS = 20_000, 5000
CLIENTS = 4
EACH = 500
LOOKED_UP = 2000
COMPUTING = 2
CHURNS = 2000


@scenario("replace", kinds=LAYERED, stack=lambda bench, _: bench.replaced())
def replace(bench, system, stack):
    count = inputs.REPLACED
    for deleted_before in (True, False):
        with system.place(stack, writable=True) as place:

            def measure(row, command, directory):
                bench.measure(
                    place, row, lambda: bench.client.seconds(place.target, command, directory, count), count
                )

            if deleted_before:
                run("find", place.target / "files", place.target / "directories", "-mindepth", "1", "-delete")
                measure("create-over", "create", "files")
                measure("mkdir-over", "mkdir", "directories")
            else:
                measure("renew", "renew", "files")


@scenario("written", kinds=WITH_NATIVE)
def written(bench, system, stack):
    with system.place(stack, writable=True) as place:
        directory = place.work()
        os.sync()

        def measure(row, command):
            bench.measure(
                place, row, lambda: bench.client.seconds(place.target, command, directory, WRITTEN), WRITTEN
            )

        measure("put", "put")
        measure("stat-written", "stat")
        measure("stat-written-again", "stat")
        bench.measure(place, "list-written", lambda: run("ls", "-l", directory))
        bench.measure(place, "copy-written", lambda: run("cp", "-a", directory, f"{directory}.copy"))
        run("rm", "-rf", f"{directory}.copy")


@scenario("log", kinds=WITH_NATIVE)
def log(bench, system, stack):
    with system.place(stack, writable=True) as place:
        directory = place.work()
        os.sync()
        for row, command, count in (("append", "append", LINES), ("write-blocks", "write-blocks", BLOCKS)):
            file = directory / row
            bench.measure(place, row, lambda: bench.client.seconds(place.target, command, file, count), count)


@scenario("clients", kinds=WITH_NATIVE)
def clients(bench, system, stack):
    with system.place(stack, writable=True) as place:
        work = place.work()
        directories = [work / str(number) for number in range(CLIENTS)]
        for directory in directories:
            directory.mkdir()
        os.sync()
        for row, wanted in (("churn", directories[:1]), ("churn-clients", directories)):
            each = [(directory, EACH) for directory in wanted]
            bench.measure(
                place, row, lambda: bench.client.together(place.target, "churn", each), EACH * len(each)
            )


@scenario("clients-lookup")
def clients_lookup(bench, system, stack):
    chosen = stack.sample(stack.paths, LOOKED_UP)
    lists = [(bench.client.list(f"half-{half}", chosen[half::2]),) for half in (0, 1)]
    system.warm(stack)
    with system.place(stack) as place:
        bench.measure(
            place, "lookup-clients", lambda: bench.client.together(place.target, "lstat", lists), len(chosen)
        )


@scenario("busy", kinds=WITH_NATIVE)
def busy(bench, system, stack):
    with system.place(stack, writable=True) as place, bench.client.busy(COMPUTING):
        directory = place.work()
        bench.measure(
            place, "churn-busy", lambda: bench.client.seconds(place.target, "churn", directory, CHURNS), CHURNS
        )
        bench.measure(place, "churn-slowest", lambda: bench.client.seconds(place.target, "slowest", directory, CHURNS))
        bench.measure(
            place, "absent-busy", lambda: bench.client.seconds(place.target, "absent", directory, CHURNS), CHURNS
        )
