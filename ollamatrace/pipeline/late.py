"""Imports on a background thread, which a fork must not come upon.

The lock of a module that another thread is importing is never released in the child of a fork: it
would hang there at the same import, ours or the program's own. So a fork waits for the import.
"""

from __future__ import annotations

import os
import threading
from typing import Final

importing: Final = threading.RLock()
"""Held while a background thread imports."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=importing.acquire,
        after_in_parent=importing.release,
        after_in_child=importing.release,
    )
