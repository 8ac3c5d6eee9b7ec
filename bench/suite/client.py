"""Runs client.c, compiled into the workspace."""

import os
import pathlib

from .workspace import run

SOURCE = pathlib.Path(__file__).resolve().parent.parent / "client.c"


class Client:
    def __init__(self, scratch):
        self.scratch = scratch
        self.program = scratch / "client"
        run("cc", "-O2", "-o", self.program, SOURCE)

    def list(self, name, paths):
        """Writes a list of paths (bytes) for the client and returns where it is."""
        file = self.scratch / f"{name}.list"
        file.write_bytes(b"".join(path + b"\0" for path in paths))
        return file

    def seconds(self, root, command, *arguments):
        return int(run(self.program, root, command, *arguments)) / 1e9

    def cached_pages(self, root, paths):
        """How many pages of these files are in the page cache."""
        return int(run(self.program, root, "cached", self.list("cached", paths)))


def find(directory):
    """readdir and lstat of everything below: -size needs attributes, and nothing is that large."""
    run("find", directory, "-size", "+1000000G")


def drop_caches():
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3\n")
    # What measures should not be cold.
    find("/usr/bin/find")
