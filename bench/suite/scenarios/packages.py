"""dpkg in a chroot, with packages made for it."""

import os
import shutil

from .. import inputs
from ..bench import Skipped
from ..workspace import run
from .develop import INSIDE
from .registry import WITH_NATIVE, scenario

PACKAGES = 3
FILES = 200


def packages(path):
    """Builds a few packages of 200 text files each."""
    for number in range(PACKAGES):
        root = path / f"build-{number}"
        inputs.text_tree(root / f"usr/share/bench-{number}", FILES)
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN/control").write_text(
            f"Package: bench-{number}\nVersion: 1\nArchitecture: all\nMaintainer: bench <bench@localhost>\n"
            "Description: files to install\n"
        )
        run("dpkg-deb", "-Zgzip", "--build", root, path / f"bench-{number}.deb")
        shutil.rmtree(root)


@scenario("dpkg", kinds=WITH_NATIVE)
def dpkg(bench, system, stack):
    if not stack.has("dpkg"):
        raise Skipped("the tree has no dpkg")
    archives = bench.once("packages", packages)
    with system.place(stack, writable=True) as place:
        directory = place.work()
        for archive in archives.iterdir():
            shutil.copy(archive, directory)
        inside = "/" + directory.name
        dpkg = ["chroot", place.target, "sh", "-c"]
        place.again()
        os.sync()
        bench.measure(place, "dpkg-install", lambda: run(*dpkg, f"dpkg --install {inside}/*.deb", env=INSIDE))
        names = " ".join(f"bench-{number}" for number in range(PACKAGES))
        os.sync()
        bench.measure(place, "dpkg-purge", lambda: run(*dpkg, f"dpkg --purge {names}", env=INSIDE))
