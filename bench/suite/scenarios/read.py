"""Whole files: open, read, close; and how much of the page cache that takes."""

import os

from ..client import drop_caches
from .registry import LAYERED, WITH_NATIVE, scenario

COUNT = 3000


@scenario("read", kinds=WITH_NATIVE)
def read(bench, system, stack):
    files = stack.sample(stack.files, COUNT)
    chosen = bench.client.list("files", files)
    drop_caches()
    with system.place(stack) as place:
        bench.measure(place, "read-cold", lambda: bench.client.seconds(place.target, "read", chosen), len(files))
        bench.measure(place, "read-again", lambda: bench.client.seconds(place.target, "read", chosen), len(files))


@scenario("page-cache", kinds=LAYERED, counted=False)
def page_cache(bench, system, stack):
    """Pages of the mount's files and of those that they come from, by cachestat(2). It does not drift: one round."""
    if bench.turn > 0 or bench.phase != bench.options.phases[0]:
        return
    drop_caches()
    with system.place(stack) as place:
        bench.client.seconds(place.target, "read", bench.client.list("files", stack.files))
        seen, pages, size = set(), 0, 0
        shown = []
        for path in stack.files:
            status = os.lstat(os.path.join(os.fsencode(place.target), path))
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            shown.append(path)
            size += -(-status.st_size // 4096)
        pages += bench.client.cached_pages(place.target, shown)
        for directory in system.data_of(stack):
            pages += bench.client.cached_pages(directory, regular_files(directory))
        bench.record(system.name, "page-cache", pages / size)


def regular_files(directory):
    """Paths of the regular files below, each inode once."""
    seen, found = set(), []
    for place, _, names in os.walk(os.fsencode(directory)):
        for name in names:
            path = os.path.join(place, name)
            status = os.lstat(path)
            if status.st_mode & 0o170000 == 0o100000 and status.st_ino not in seen:
                seen.add(status.st_ino)
                found.append(path)
    return found
