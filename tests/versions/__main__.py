"""Runs the client tests with other versions: ``python -m tests.versions``.

Without ``--all`` the oldest and the newest, with a part of the tests. Environments are made by
`uv` below ``.versions/``, once; a version that is not pinned is the newest of that time. A Python
that neither pyenv nor `uv` has comes from Debian.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from tests.versions.debian import python_of_debian
from tests.versions.table import COMBINATIONS, MORE_TESTS, NEEDS, TESTS, TOOLS, Combination

ROOT: Final = Path(__file__).parents[2]
HOME: Final = ROOT / ".versions"
_TOLD: Final = ("openai", "ollama", "httpx", "pydantic")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="every combination, and more tests")
    given = parser.parse_args()
    results = [_run(one, everything=given.all) for one in COMBINATIONS if given.all or one.always]
    _say("\n" + "\n".join(line for line, _ in results))
    return int(any(failed for _, failed in results))


def _run(one: Combination, *, everything: bool) -> tuple[str, bool]:
    """Gives a line of the table, and whether anything failed."""
    found = _python(one.python)
    if found is None:
        return f"{one.name}: no Python {one.python} here, and none to be had", False
    python = _environment(one, found)
    begun = time.monotonic()
    done = subprocess.run(
        [
            *(
                python,
                "-m",
                "pytest",
                "-q",
                "-p",
                "tests.versions.absent",
                "-p",
                "no:cacheprovider",
            ),
            *(MORE_TESTS if everything else TESTS),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    _say(done.stdout)
    counts = done.stdout.strip().rpartition("\n")[2].partition(" in ")[0]
    took = time.monotonic() - begun
    return f"{_versions(python)}: {counts} ({took:.0f} s)", done.returncode != 0


def _python(version: str) -> str | None:
    """A Python that is installed, or that can be fetched; pyenv's need not be on the path."""
    ours = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    if ours:
        return str(ours[-1])
    done = subprocess.run(["uv", "python", "install", "-q", version], stderr=subprocess.DEVNULL)
    if done.returncode == 0:
        return version
    debian = python_of_debian(version, _home() / f"debian-{version}")
    return None if debian is None else str(debian)


def _home() -> Path:
    HOME.mkdir(exist_ok=True)
    (HOME / ".gitignore").write_text("*\n")
    return HOME


def _environment(one: Combination, found: str) -> Path:
    folder = _home() / one.name
    python, complete = folder / "bin" / "python", folder / "complete"
    if not complete.exists():
        _say(f"{one.name}: installing")
        subprocess.run(["uv", "venv", "-q", "--clear", "-p", found, folder], check=True)
        install = ["uv", "pip", "install", "-q", "-p", python]
        resolution = "lowest-direct" if one.lowest else "highest"
        subprocess.run(
            [*install, "--resolution", resolution, *NEEDS, *one.packages], cwd=ROOT, check=True
        )
        subprocess.run([*install, *TOOLS], check=True)
        subprocess.run([*install, "--no-deps", ROOT], check=True)  # for its version
        complete.touch()
    return python


def _versions(python: Path) -> str:
    code = (
        "import importlib.metadata as m, platform, sys;"
        "told = [f'{name} {m.version(name)}' for name in sys.argv[1:]];"
        "print(f'Python {platform.python_version()}', *told, sep=', ')"
    )
    done = subprocess.run(
        [python, "-c", code, *_TOLD], check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.strip()


def _say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
