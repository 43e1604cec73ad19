"""Which HTTP library brings spans to a server, and that a program does not notice its import."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.destinations.mlflow.loopback import Loopback

PROGRAM = """
import sys
{before}
from ollamatrace import Tracer
loaded = "httpx" in sys.modules
with Tracer(sys.argv[1]) as tracer:
    with tracer.span("a"):
        pass
    report = tracer.flush(timeout=20)
print(report.delivered, loaded, "httpx" in sys.modules)
"""


@pytest.mark.parametrize(
    ("before", "told"),
    [
        # OpenAI's client looks at httpx as soon as it is there, and there may be half of it.
        ("import openai", "1 {0} {0}"),
        ("import ollama", "1 True True"),
        ("import sys; sys.modules['httpx2'] = None", "1 False True"),
    ],
    ids=["openai", "ollama", "neither"],
)
def test_a_program_has_the_http_library_that_it_had(before, told):
    with Loopback() as server:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", PROGRAM.format(before=before), server.url],
            capture_output=True,
            text=True,
            timeout=60,
        )
    probe = [sys.executable, "-c", "import sys, openai; print('httpx' in sys.modules)"]
    by_openai = subprocess.run(probe, capture_output=True, text=True, check=True).stdout.strip()
    assert (done.stdout.strip(), done.stderr) == (told.format(by_openai), "")
