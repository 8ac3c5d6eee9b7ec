"""All scenarios, in the order in which they run."""

from . import lookup, walk, read, data, upper, programs, wide, copyup, develop, packages, images  # noqa: F401
from .registry import SCENARIOS  # noqa: F401
