"""A clock that counts instructions where the processor lets us, which noise does not change."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from typing import Final

from benchmarks.blocks import Clock

_SYSCALLS: Final = {"x86_64": 298, "aarch64": 241}
"""`perf_event_open`, see https://man7.org/linux/man-pages/man2/perf_event_open.2.html."""
_SIZE: Final = 64
_HARDWARE, _INSTRUCTIONS = 0, 1
_NO_KERNEL: Final = 1 << 5 | 1 << 6
"""Nor what runs the machine, if it is a virtual one."""
_THIS_THREAD, _ANY_CPU, _NO_GROUP = 0, -1, -1


def instructions() -> Clock:
    """Count the instructions of the calling thread.

    Raises:
        OSError: they cannot be counted here.
    """
    return opened(_HARDWARE, _INSTRUCTIONS)


def opened(kind: int, event: int) -> Clock:
    """Count one of the kernel's events in the calling thread.

    Args:
        kind: ``perf_event_attr.type``.
        event: ``perf_event_attr.config``.

    Raises:
        OSError: there is no such event here, or it is not allowed.
    """
    number = _SYSCALLS.get(platform.machine())
    if platform.system() != "Linux" or number is None:
        raise OSError(f"instructions cannot be counted on {platform.system()}")
    attributes = struct.pack("IIQQQQQ", kind, _SIZE, event, 0, 0, 0, _NO_KERNEL).ljust(_SIZE, b"\0")
    kernel = ctypes.CDLL(None, use_errno=True)
    file = kernel.syscall(number, attributes, _THIS_THREAD, _ANY_CPU, _NO_GROUP, 0)
    if file < 0:
        raise OSError(ctypes.get_errno(), "perf_event_open")

    def count() -> int:
        return int.from_bytes(os.read(file, 8), "little")

    return count
