"""The environment of the other tracers, which want other versions than we do."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("OT_DOUBLES_VENV") or ROOT / ".venv-doubles") / "bin" / "python"


def told_by(program, *arguments):
    """Run a program there, and read the JSON that its last line is."""
    assert PYTHON.exists(), f"there is no {PYTHON}: see .ci/run"
    done = subprocess.run(
        [PYTHON, "-m", program, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "DO_NOT_TRACK": "true"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])
