"""python3 -m unittest discover -s bench/tests -t bench"""

import io
import pathlib
import tarfile
import tempfile
import unittest

from suite.layers import packages_of, split


def tree(path, files, lists=()):
    with tarfile.open(path, "w") as tar:
        for name, content in [(name, b"x") for name in files] + list(lists):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def names(path):
    with tarfile.open(path) as tar:
        return {entry.name for entry in tar if entry.isreg()}


class Layers(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.place = pathlib.Path(self.directory.name)
        self.files = [f"usr/share/package-{number // 10}/file-{number}" for number in range(400)]

    def parts(self, by, lists=()):
        source = self.place / "source.tar"
        tree(source, self.files, lists)
        layers = [names(path) for path in split(source, 8, self.place, by)]
        self.assertEqual(sorted(name for layer in layers for name in layer), sorted([*self.files, *dict(lists)]))
        return layers

    def homes(self, layers, prefix):
        return sum(any(name.startswith(prefix) for name in layer) for layer in layers)

    def test_packages_stay_together(self):
        layers = self.parts("packages")
        self.assertTrue(all(self.homes(layers, f"usr/share/package-{number}/") == 1 for number in range(40)))
        self.assertTrue(all(layers))

    def test_files_are_spread(self):
        layers = self.parts("files")
        self.assertTrue(all(self.homes(layers, f"usr/share/package-{number}/") > 1 for number in range(40)))

    def test_dpkg_says_what_is_a_package(self):
        lists = [("var/lib/dpkg/info/all:amd64.list", "".join(f"/{name}\n" for name in self.files).encode())]
        layers = self.parts("packages", lists)
        self.assertEqual(self.homes(layers, "usr/"), 1)
        self.assertEqual(set(packages_of(self.place / "source.tar").values()), {"all:amd64"})


if __name__ == "__main__":
    unittest.main()
