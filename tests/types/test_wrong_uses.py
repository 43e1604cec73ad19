"""Type checkers find the mistakes that are marked, and no others."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

MARKED = (Path(__file__).parent / "wrong_uses.py").read_text()
CHECKERS = {
    "pyright": [sys.executable, "-m", "pyright", "--pythonpath", sys.executable],
    "mypy": [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "--hide-error-context",
    ],
}


@pytest.mark.types
@pytest.mark.parametrize("checker", CHECKERS)
def test_mistakes_are_found(checker: str, tmp_path: Path) -> None:
    expected = [
        number for number, line in enumerate(MARKED.splitlines(), 1) if "# type: ignore" in line
    ]
    file = tmp_path / "unmarked.py"
    file.write_text(re.sub(r"  # type: ignore.*", "", MARKED))
    run = subprocess.run(
        [*CHECKERS[checker], file.name], cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    found = re.findall(r"unmarked\.py:(\d+):.*\berror\b", run.stdout)
    assert sorted({int(number) for number in found}) == expected, run.stdout + run.stderr
    assert run.returncode == 1
