"""One tree as a number of layers, in the form that each system wants: directories, an image, one directory."""

import os
import random

from .client import find
from .layers import docker_archive, split
from .workspace import Failed, run


class Stack:
    """`directory` is the stack's own, `store` mica's; `source` is a tar of the whole tree, split `by` packages or files.
    The layers' tars are kept in
    `spare`, as `archives`."""

    def __init__(self, source, depth, directory, mica, store, spare, by):
        self.source, self.depth, self.directory = source, depth, directory
        self.layers = directory / "l"
        self.image = f"{directory.name}:{depth}"
        self.layers.mkdir(parents=True)
        if depth == 1:
            self.archives = [source]
            run(mica, "import", "--root", store, "-q", source, self.image)
        else:
            parts = spare / f"parts-{directory.name}"
            parts.mkdir()
            self.archives = split(source, depth, parts, by)
            archive = spare / "image.tar"
            docker_archive(self.archives, self.image, archive)
            run(mica, "load", "--root", store, "-i", archive)
            archive.unlink()
        # Short names, relative to one directory: mount(2) takes one page of options.
        for number, archive in enumerate(self.archives):
            layer = self.layers / str(number)
            layer.mkdir()
            unpack(archive, layer)
        (self.layers / "empty").mkdir()
        self.paths, self.files = self.names()

    def lowers(self):
        """The kernel wants two lowers at least."""
        return ":".join([str(number) for number in reversed(range(self.depth))] + ["empty"])

    def names(self):
        """Every path in the tree, and those of regular files, as bytes relative to its root."""
        paths, files = set(), set()
        for layer in os.scandir(self.layers):
            for directory, directories, names in os.walk(os.fsencode(layer.path)):
                below = os.path.relpath(directory, os.fsencode(layer.path))
                for name in directories + names:
                    paths.add(os.path.normpath(os.path.join(below, name)))
                for name in names:
                    path = os.path.join(directory, name)
                    if not os.path.islink(path) and os.path.isfile(path):
                        files.add(os.path.normpath(os.path.join(below, name)))
        return sorted(paths), sorted(files)

    def native(self):
        """The tree in one directory; made when it is first asked for."""
        directory = self.directory / "native"
        if not directory.exists():
            directory.mkdir()
            unpack(self.source, directory)
        return directory

    def warm_layers(self):
        find(self.layers)

    def sample(self, paths, count):
        """`count` of the paths in random order; always the same."""
        return random.Random(2).sample(paths, min(count, len(paths)))

    def has(self, *programs):
        """Whether the tree has all these programs in usr/bin or bin."""
        known = set(self.paths)
        return all(
            any(os.fsencode(f"{place}/{program}") in known for place in ("usr/bin", "bin")) for program in programs
        )

    def a_directory(self, entries):
        """The directory that has as near as can be `entries` paths below it."""
        below = {}
        for path in self.paths:
            while path := os.path.dirname(path):
                below[path] = below.get(path, 0) + 1
        if not below:
            raise Failed("the tree has no directories")
        # Something must be left outside.
        small = sorted(path for path in below if below[path] <= len(self.paths) // 2)
        return min(small or sorted(below), key=lambda path: abs(below[path] - entries))


def unpack(archive, directory):
    run("tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-xpf", archive, "-C", directory)
