"""Names and attributes of what is in the upper; removal of what is in the lower."""

import os

from .. import inputs
from ..workspace import run
from .registry import LAYERED, WITH_NATIVE, scenario

COUNT = 2000
UNLINKED = 1000
REMOVED = 3000

# The file system is the same at the end of each step for the next one: files f, links l, names r of what was f.
STEPS = ("create", "stat", "chmod", "link", "rename", "unlink", "symlink", "mkdir", "rmdir")


@scenario("upper", kinds=WITH_NATIVE)
def upper(bench, system, stack):
    with system.place(stack, writable=True) as place:
        directory = place.work()
        os.sync()
        for step in STEPS:
            bench.measure(
                place, step, lambda: bench.client.seconds(place.target, step, directory, COUNT), COUNT
            )


@scenario("remove-lower", kinds=LAYERED)
def remove_lower(bench, system, stack):
    doomed = stack.a_directory(REMOVED)
    inside = doomed + b"/"
    files = stack.sample([path for path in stack.files if not path.startswith(inside)], UNLINKED)
    chosen = bench.client.list("unlinked", files)
    system.warm(stack)
    with system.place(stack, writable=True) as place:
        # The names are known: looking them up has rows of its own.
        bench.client.seconds(place.target, "lstat", chosen)
        bench.measure(
            place, "unlink-lower", lambda: bench.client.seconds(place.target, "unlink-list", chosen), len(files)
        )
        bench.measure(place, "rm-lower", lambda: run("rm", "-rf", place.target / os.fsdecode(doomed)))


@scenario("untar", kinds=WITH_NATIVE)
def untar(bench, system, stack):
    archive = bench.once("unpack.tar", inputs.archive_to_unpack)
    archive.read_bytes()
    with system.place(stack, writable=True) as place:
        directory = place.work()
        os.sync()
        bench.measure(place, "untar", lambda: run("tar", "-xpf", archive, "-C", directory))
        bench.measure(place, "rm-untarred", lambda: run("rm", "-rf", directory / "usr"))
