"""What grows with the number of names: a large directory, files with two names each, a mount of a large upper."""

import os
import subprocess

from .. import inputs
from ..workspace import Failed, run
from .registry import scenario

# fuse-overlayfs takes minutes for some of these.
KINDS = frozenset({"overlayfs", "mica"})


def wide(bench, _):
    return bench.wide()


def listed(*command):
    """Runs a program whose output nobody reads."""
    if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode != 0:
        raise Failed(f"{' '.join(str(word) for word in command)} failed")


@scenario("wide", kinds=KINDS, stack=wide)
def large_directory(bench, system, stack):
    system.warm(stack)
    with system.place(stack, writable=True) as place:
        directory = place.target / "many"
        bench.measure(place, "wide-ls", lambda: listed("ls", directory))
        bench.measure(place, "wide-status", lambda: listed("ls", "-l", directory))
        bench.measure(place, "wide-rm", lambda: run("rm", "-rf", directory))


@scenario("links", kinds=KINDS, stack=wide)
def links(bench, system, stack):
    system.warm(stack)
    with system.place(stack, writable=True) as place:
        bench.measure(place, "links", lambda: listed("ls", "-l", place.target / "one"))


@scenario("mount-upper", kinds=KINDS, stack=wide, counted=False)
def mount_upper(bench, system, stack):
    """The upper is made anew for each round: every file of the large directory changed, then directories renamed."""
    with system.place(stack, writable=True) as place:

        def measure(workload):
            place.unmount()
            bench.measure(place, workload, lambda: (place.mount(), os.listdir(place.target)))

        if system.kind == "overlayfs":
            # What its own copy-ups would have made there, each with a sync of its own.
            place.unmount()
            run("cp", "-a", stack.layers / "0/many", place.upper / "upper")
            place.mount()
        else:
            run("chmod", "-R", "g+w", place.target / "many")
        measure("mount-changed")
        try:
            for number in range(inputs.RENAMED):
                os.rename(place.target / f"parts/{number}", place.target / f"parts/new-{number}")
        except OSError:
            # Without redirect_dir overlayfs renames no lower directory (EXDEV).
            return
        measure("mount-renamed")
