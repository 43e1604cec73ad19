"""A real kernel, cell by cell."""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path

import pytest
from nbclient import NotebookClient
from nbformat import v4

TIMEOUT_S = 60
FIRST = """
import asyncio
import ollama
from openai import AsyncOpenAI
from ollamatrace import *
from ollamatrace import sync
"""


class Notebook:
    """Run cells in a kernel; each gives its outputs."""

    def __init__(self):
        self._client = NotebookClient(
            v4.new_notebook(), timeout=TIMEOUT_S, allow_errors=True, kernel_name="python3"
        )

    async def __aenter__(self):
        self._kernel = self._client.async_setup_kernel()
        await self._kernel.__aenter__()
        assert (await self.run(FIRST)).text == ""
        return self

    async def __aexit__(self, *error):
        await self._kernel.__aexit__(*error)

    async def shut_down(self):
        """As a notebook is closed, or its kernel begun anew."""
        await self._client.km.shutdown_kernel()

    async def run(self, source):
        cell = v4.new_code_cell(source)
        cells = self._client.nb.cells
        cells.append(cell)
        await self._client.async_execute_cell(cell, len(cells) - 1)
        return Outputs(cell.outputs)

    async def stop(self, source, *, once):
        """Run a cell, and press the stop button as soon as `once()` is true."""
        running = asyncio.ensure_future(self.run(source))
        async with asyncio.timeout(TIMEOUT_S):
            while not once():
                assert not running.done(), running.result().text
                await asyncio.sleep(0.01)
        await self._client.km.interrupt_kernel()
        return await running


class Outputs:
    """What is below a cell."""

    def __init__(self, outputs):
        self.text = "".join(one.get("text", "") for one in outputs)
        self.error = next((one.ename for one in outputs if one.output_type == "error"), None)
        shown = [one.data for one in outputs if one.output_type == "execute_result"]
        self.result = shown[0].get("text/plain") if shown else None
        self.html = shown[0].get("text/html") if shown else None
        if self.error is None:
            assert not [one for one in outputs if one.get("name") == "stderr"], outputs


@pytest.fixture
async def notebook(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Jupyter says of itself
        async with Notebook() as notebook:
            yield notebook
