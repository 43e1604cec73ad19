"""Which versions the client tests are run with, and which tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Combination:
    """Versions that are installed together.

    Attributes:
        python: Of CPython.
        packages: The SDKs, as pip names what it takes.
        lowest: Whether the libraries that ollamatrace needs are the oldest that it allows.
        always: Whether it is run with every change, not only with ``--all``.
    """

    python: str
    packages: tuple[str, ...]
    lowest: bool = False
    always: bool = False

    @property
    def name(self) -> str:
        """Short, and good for a folder."""
        lowest = ["lowest"] if self.lowest else []
        return "-".join([f"py{self.python}", *self.packages, *lowest]).replace("==", "")


COMBINATIONS: Final = (
    Combination("3.11", ("openai==1.55.3", "ollama==0.4.0"), lowest=True, always=True),
    Combination("3.12", ("openai<2", "ollama<0.5")),
    Combination("3.13", ("openai<3", "ollama<0.6")),
    Combination("3.12", ("openai<4", "ollama")),
    Combination("3.13", ("openai", "ollama")),  # the newest are what all other tests run with
    Combination("3.14", ("openai", "ollama")),
)

NEEDS: Final = (
    "anyio>=4.5",
    "httpx>=0.27",
    "orjson>=3.10",
    "platformdirs>=4.0",
    "tenacity>=9.0",
    "rich>=13",
    "typer>=0.15",
    "opentelemetry-api>=1.27",
)
"""As `pyproject.toml` has them, of which a test makes sure: their oldest are what is meant."""

TOOLS: Final = ("pytest", "pytest-asyncio", "pytest-timeout", "trio", "hypothesis", "numpy")

_OFTEN: Final = (
    "captures",
    "doubled",
    "helpers",
    "other_streams",
    "proxies",
    "raw",
    "streams",
    "twin",
    "ways",
)
TESTS: Final = tuple(f"tests/clients/test_{name}.py" for name in _OFTEN)
MORE_TESTS: Final = ("tests/clients", "tests/spans", "tests/tracer", "tests/test_nesting.py")
"""With ``--all``."""
