"""What each thing may cost, as a difference to the same program without ollamatrace."""

from __future__ import annotations

from typing import Final

CALL_US: Final = 5.0
CALL_P99_US: Final = 25.0
CHUNK_US: Final = 0.3
ASYNC_CHUNK_US: Final = 0.5
SPAN_US: Final = 2.0
DISABLED_US: Final = 0.5
IMAGE_US: Final = 50.0
"""For 10 MB."""
CPU_US: Final = 60.0
"""Of all threads, for a call of 1 kB."""
REQUEST_US: Final = 700.0
"""For one HTTP request, which each trace takes on an MLflow server in the mode ``info``."""
SUSTAINED_PER_S: Final = 10_000.0
LAG_MS: Final = 0.1
LAG_P99_MS: Final = 1.0
IMPORT_MS: Final = 30.0
