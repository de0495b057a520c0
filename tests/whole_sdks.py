"""SDKs that import what they are made of only when it is asked for, imported as a whole.

freezegun asks every module for everything, at its start, when `datetime` is a fake already; what pydantic then makes of
a field of that type is an error, in whichever test froze time first. That is so without this package, too.
"""

import sys
from types import ModuleType

__all__ = ["load"]


def load(package):
    """Import everything that a package offers by name, at any depth."""
    seen = set()
    while left := {name for name in tuple(sys.modules) if name.partition(".")[0] == package} - seen:
        for name in left:
            module = sys.modules[name]
            for offered in dir(module) if isinstance(module, ModuleType) else ():
                getattr(module, offered, None)
        seen |= left
