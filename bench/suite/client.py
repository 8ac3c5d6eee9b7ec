"""Runs client.c, compiled into the workspace."""

import contextlib
import os
import pathlib
import subprocess
import time

from .workspace import Failed, run

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

    def together(self, root, command, arguments):
        """Starts one client for each list of arguments, all at once. Returns the seconds until the last has ended,
        their start included."""
        start = time.monotonic()
        clients = [
            subprocess.Popen(
                [str(word) for word in (self.program, root, command, *each)], stdout=subprocess.DEVNULL
            )
            for each in arguments
        ]
        codes = [client.wait() for client in clients]
        if any(codes):
            raise Failed(f"client {command}: exit statuses {codes}")
        return time.monotonic() - start

    @contextlib.contextmanager
    def busy(self, count):
        """`count` programs compute meanwhile."""
        programs = [subprocess.Popen([self.program, "/", "spin", "/"]) for _ in range(count)]
        try:
            yield
        finally:
            for program in programs:
                program.kill()
                program.wait()

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
