"""What developers do in a container: git, a compiler, Python."""

import os
import time

from .. import inputs
from ..bench import Skipped
from ..workspace import run
from .registry import WITH_NATIVE, scenario

MODULES = (
    "argparse array ast asyncio base64 bisect calendar collections configparser contextlib copy csv ctypes datetime "
    "decimal difflib dis email enum fractions functools glob gzip hashlib heapq html http.client inspect json logging "
    "pathlib pickle random shutil socket sqlite3 statistics subprocess tarfile unittest"
).split()
GIT = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent", "GIT_OPTIONAL_LOCKS": "0"}
INSIDE = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


# Not 0, which git takes for an index that was never written.
LONG_AGO = 1_000_000_000


def wait_for_next_second():
    time.sleep(1 - time.time() % 1 + 0.01)


def repository(path):
    """Makes a repository of 2,000 text files and two commits."""
    path.mkdir()
    git = ("git", "-C", path, "-c", "user.name=bench", "-c", "user.email=bench@localhost")
    run(*git, "init", "-q", env=GIT)
    for files in (1800, 2000):
        inputs.text_tree(path, files)
        run(*git, "add", ".", env=GIT)
        run(*git, "commit", "-q", "-m", f"{files} files", env=GIT)


@scenario("git", kinds=WITH_NATIVE)
def git(bench, system, stack):
    source = bench.once("repository", repository)
    with system.place(stack, writable=True) as place:
        clone = place.work() / "clone"
        bench.measure(
            place, "git-clone", lambda: run("git", "clone", "-q", f"file://{source}", clone, env=GIT)
        )
        # git trusts times only if they are older than the index, to the second, and else reads the files. How many
        # that are after a clone depends on when it began: so first all are, then none.
        index = clone / ".git/index"
        os.utime(index, (LONG_AGO, LONG_AGO))
        for workload in ("git-status", "git-status-again", "git-status-older", "git-status-fresh"):
            if workload == "git-status-older":
                wait_for_next_second()
                os.utime(index)
            if workload == "git-status-fresh":
                place.again()
            bench.measure(place, workload, lambda: run("git", "-C", clone, "status", "--short", env=GIT))


@scenario("compile", kinds=WITH_NATIVE)
def compile_project(bench, system, stack):
    """With the tree's compiler in a chroot if it has one, else with the host's on sources in the mount."""
    project = bench.once("project", inputs.c_project)
    with system.place(stack, writable=True) as place:
        directory = place.work() / "project"
        run("cp", "-r", project, directory)
        command = ["make", "-s", "-j2", "-C", directory]
        if stack.has("gcc", "make"):
            command = ["chroot", place.target, "make", "-s", "-j2", "-C", "/" + str(directory.relative_to(place.target))]
        place.again()
        for workload in ("compile", "compile-again"):
            bench.measure(place, workload, lambda: run(*command, env=INSIDE))
            run("sh", "-c", f"rm '{directory}'/*.o '{directory}/program'")


@scenario("python", kinds=WITH_NATIVE, rounds=2)
def python(bench, system, stack):
    if not stack.has("python3"):
        raise Skipped("the tree has no python3")
    program = "import " + ", ".join(MODULES)
    with system.place(stack) as place:
        for workload in ("python", "python-again"):
            bench.measure(
                place, workload, lambda: run("chroot", place.target, "python3", "-B", "-c", program, env=INSIDE)
            )
