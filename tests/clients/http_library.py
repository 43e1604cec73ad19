"""The library that OpenAI's package sends its requests with: `httpx2` since its version 3."""

from __future__ import annotations

import importlib

import openai

_modules = [kind.__module__.partition(".")[0] for kind in openai.DefaultHttpxClient.__mro__]
openai_http = importlib.import_module(next(name for name in _modules if name != "openai"))
