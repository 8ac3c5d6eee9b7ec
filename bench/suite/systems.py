"""What is compared: how each system mounts a stack of layers, read-only or with an upper directory."""

import contextlib
import itertools
import os
import pathlib
import shutil

from .daemon import daemons_of, device_of, unmount
from .workspace import Failed, run

SERIAL = itertools.count(1)


class System:
    """`name` heads its column. `kind` is what scenarios choose by: native, overlayfs, volatile, fuse-overlayfs or
    mica. `is_fuse`: has a daemon, and sends requests to it."""

    is_fuse = False

    def __init__(self, name, kind):
        self.name, self.kind = name, kind

    def mount(self, stack, target, upper):
        """Mounts `stack` at `target`; with `upper`, a directory private to the caller, it can be written to."""
        raise NotImplementedError

    def forget(self, upper):
        """Removes what mounts with `upper` have left elsewhere."""

    def data_of(self, stack):
        """The directories that the contents of files are read from."""
        return [stack.layers]

    def warm(self, stack):
        """Brings what a first look at the stack needs into memory; the mount's own caches go with the mount."""
        stack.warm_layers()

    def about(self):
        return self.kind

    @contextlib.contextmanager
    def place(self, stack, writable=False, mounted=True):
        """A place where the stack is mounted; unmounted and its upper removed at the end, also after a failure."""
        serial = next(SERIAL)
        target = stack.directory / f"m{serial}"
        upper = stack.directory / f"u{serial}" if writable else None
        target.mkdir()
        if upper:
            upper.mkdir()
        place = Place(self, stack, target, upper)
        try:
            if mounted:
                place.mount()
            yield place
        finally:
            place.clean_up()


class Place:
    """One mount of one system, that can be unmounted and mounted again."""

    def __init__(self, system, stack, target, upper):
        self.system, self.stack, self.target, self.upper = system, stack, target, upper
        self.is_mounted, self.found = False, None

    def mount(self):
        self.system.mount(self.stack, self.target, self.upper)
        self.is_mounted = True

    @property
    def daemons(self):
        """Looked for when somebody asks: it takes longer than a mount."""
        if self.found is None and self.is_mounted and self.system.is_fuse:
            self.found = daemons_of(self.target)
        return self.found or []

    @property
    def device(self):
        return device_of(self.target)

    def unmount(self):
        unmount(self.target, self.daemons)
        self.is_mounted, self.found = False, None

    def again(self):
        """A fresh mount: what the first one has seen is forgotten."""
        self.unmount()
        self.mount()

    def work(self):
        """A new directory in the mount, for what a scenario makes."""
        directory = self.target / "bench-work"
        directory.mkdir()
        return directory

    def clean_up(self):
        if self.is_mounted:
            self.unmount()
        else:
            # A mount that failed half-way may still be there.
            with contextlib.suppress(Failed):
                unmount(self.target, [])
        if self.upper:
            self.system.forget(self.upper)
            shutil.rmtree(self.upper, ignore_errors=True)
        self.target.rmdir()


class Native(System):
    """The tree as one directory, bound to the target."""

    def __init__(self):
        super().__init__("native", "native")

    def mount(self, stack, target, upper):
        run("mount", "--bind", stack.native(), target)

    def data_of(self, stack):
        return [stack.native()]

    def forget(self, upper):
        """What was written is in the tree itself."""
        stack_native = upper.parent / "native"
        if (stack_native / "bench-work").exists():
            shutil.rmtree(stack_native / "bench-work")

    def warm(self, stack):
        run("find", stack.native(), "-size", "+1000000G")

    def about(self):
        return "the same ext4, all layers unpacked into one directory"


class Overlay(System):
    def __init__(self, volatile=False):
        kind = "volatile" if volatile else "overlayfs"
        super().__init__("overlayfs volatile" if volatile else "overlayfs", kind)
        self.extra = ",volatile" if volatile else ""

    def mount(self, stack, target, upper):
        options = f"ro,lowerdir={stack.lowers()}"
        if upper:
            options = f"lowerdir={stack.lowers()},{upper_options(upper)}{self.extra}"
        run("mount", "-t", "overlay", "overlay", "-o", options, target, cwd=stack.layers)


class FuseOverlay(System):
    is_fuse = True

    def __init__(self, program="fuse-overlayfs"):
        said = run(program, "--version")
        versions = [line.split()[-1] for line in said.splitlines() if line.startswith("fuse-overlayfs: version")]
        super().__init__(f"fuse-overlayfs {versions[0] if versions else program}", "fuse-overlayfs")
        self.program = program

    def mount(self, stack, target, upper):
        options = f"lowerdir={stack.lowers()}"
        if upper:
            options += f",{upper_options(upper)}"
        run(self.program, "-o", options, target, cwd=stack.layers)

    def about(self):
        return "Debian's" if self.program == "fuse-overlayfs" else "given by path"


class Mica(System):
    """`mica mount` with the options of one variant."""

    is_fuse = True

    def __init__(self, program, store, name, options):
        super().__init__(f"mica {name}", "mica")
        self.program, self.store, self.options = program, store, options
        # The column of promises that it is held against; one that chooses for itself, against both.
        words = options.split(",")
        named = [word.partition("=")[2] for word in words if word.startswith("transport=")]
        self.transport = named[-1] if named and named[-1] != "auto" else "both"

    def mount(self, stack, target, upper):
        command = [self.program, "mount", "--root", self.store]
        if self.options:
            command += ["-o", self.options]
        if upper:
            command += ["--rw", "--name", self.key(upper)]
        run(*command, stack.image, target)

    def key(self, upper):
        return f"bench-{upper.parent.name}-{upper.name}"

    def forget(self, upper):
        with contextlib.suppress(Failed):
            run(self.program, "snapshot", "--root", self.store, "rm", self.key(upper))

    def data_of(self, stack):
        return [self.store]

    def warm(self, stack):
        """The trees of names and attributes, and the small contents packed together."""
        for directory, _, names in os.walk(self.store):
            for name in names:
                if name in ("index", "pack") or "chains" in directory:
                    with open(os.path.join(directory, name), "rb") as file:
                        while file.read(1 << 20):
                            pass

    def about(self):
        return f"-o {self.options}" if self.options else "no options"


class MicaDirectories(System):
    """micafs over the layers' directories, as podman calls it where it is storage.conf's mount_program."""

    is_fuse = True

    def __init__(self, program, name, options):
        super().__init__(f"micafs {name}", "mica")
        self.program, self.options = program, options
        # What is promised is promised of images.
        self.transport = "none"

    def mount(self, stack, target, upper):
        options = f"lowerdir={stack.lowers()}"
        if upper:
            options += f",{upper_options(upper)}"
        if self.options:
            options += f",{self.options}"
        run(self.program, "-o", options, target, cwd=stack.layers)

    def about(self):
        return f"-o lowerdir=…,{self.options}" if self.options else "-o lowerdir=…"


def upper_options(upper):
    """Paths relative to the layers: the kernel takes one page of options."""
    for part in ("upper", "work"):
        (upper / part).mkdir(exist_ok=True)
    return f"upperdir=../{upper.name}/upper,workdir=../{upper.name}/work"


def variant(text):
    """NAME:OPTIONS of --mica-variant, as a pair."""
    name, _, options = text.partition(":")
    return name, options


def available(system, stack):
    """None, or why the system cannot be mounted here."""
    for writable in (False, True):
        try:
            with system.place(stack, writable) as place:
                os.listdir(place.target)
        except (Failed, OSError) as error:
            # The first line is the command; the next one is what it said.
            lines = str(error).strip().splitlines()
            return lines[1] if len(lines) > 1 else str(error)
    return None


def default_program(name):
    """A binary of this repository's release build."""
    return pathlib.Path(__file__).resolve().parents[2] / ".build/release" / name
