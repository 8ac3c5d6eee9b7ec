"""Mounts for the suites that `run` runs. As a program it takes the place of mount(8):

  mounts.py MICA FORM STORES SOURCE TARGET -orw -olowerdir=…,upperdir=…,workdir=…
"""

import pathlib
import subprocess
import sys
import tempfile
import time


def call(*arguments):
    subprocess.run([str(argument) for argument in arguments], check=True, stdin=subprocess.DEVNULL)


def start(log, *arguments):
    """Starts what stays in the background: it gets a file for its output, not somebody's pipe."""
    with open(log, "w+") as output:
        command = [str(argument) for argument in arguments]
        if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output).returncode != 0:
            output.seek(0)
            sys.exit(output.read())


class Disk:
    """A mounted ext4 of its own below `directory`."""

    def __init__(self, directory, gigabytes):
        self.image = directory / "image"
        self.root = directory / "disk"
        with open(self.image, "wb") as image:
            image.truncate(gigabytes << 30)

    def __enter__(self):
        self.root.mkdir()
        call("mkfs.ext4", "-q", "-F", self.image)
        call("mount", "-o", "loop", self.image, self.root)
        return self

    def __exit__(self, *_):
        # A daemon whose mount is gone has its upper here for a moment longer.
        for _ in range(600):
            if subprocess.run(["umount", self.root], stderr=subprocess.DEVNULL).returncode == 0:
                return
            time.sleep(0.1)
        call("umount", self.root)

    def directory(self, name):
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path


class Mount:
    """`lower` with an upper below `directory`, mounted at `target`."""

    def __init__(self, mica, form, lower, directory):
        self.mica, self.form, self.lower, self.directory = mica, form, lower, directory
        self.target = directory / "mount"

    def __enter__(self):
        for name in "upper", "work", "mount", "stores":
            (self.directory / name).mkdir()
        options = f"lowerdir={self.lower},upperdir={self.directory}/upper,workdir={self.directory}/work"
        mount(self.mica, self.form, self.directory / "stores", options, self.target)
        return self

    def __exit__(self, *_):
        call("umount", self.target)


def mount(mica, form, stores, options, target):
    """Mounts with micafs what overlayfs's options say, over an image of the lower for the form `image`."""
    micafs = mica.parent / "micafs"
    log = stores / "log"
    wanted = dict(option.split("=", 1) for option in options.split(",") if "=" in option)
    if form == "stack":
        names = "lowerdir", "upperdir", "workdir"
        start(log, micafs, "-o", ",".join(f"{name}={wanted[name]}" for name in names), target)
        return
    lower = wanted["lowerdir"]
    if ":" in lower:
        sys.exit("an image has no layers of directories")
    store = tempfile.mkdtemp(dir=stores)
    tar = f"{store}.tar"
    xattrs = ["--xattrs", "--xattrs-include=*"]
    call("tar", *xattrs, "--format=posix", "--numeric-owner", "-S", "-C", lower, "-cf", tar, ".")
    call(mica, "import", "--root", store, "-q", tar, "lower")
    # A first mount makes the chain index.
    call(mica, "mount", "--root", store, "lower", target)
    call(mica, "umount", "--root", store, target)
    (chain,) = (pathlib.Path(store) / "chains").iterdir()
    uppers = ["--upper", wanted["upperdir"], "--work", wanted["workdir"]]
    start(log, micafs, "--chain", chain, "--store", store, *uppers, target)


if __name__ == "__main__":
    program, form, stores, _, target = sys.argv[1:6]
    options = ",".join(option.removeprefix("-o") for option in sys.argv[6:])
    mount(pathlib.Path(program), form, pathlib.Path(stores), options, pathlib.Path(target))
