"""Images as Ollama takes them, bare base64, and as data URLs, which a page can show."""

from __future__ import annotations

import re
from typing import Any, Final

from ollamatrace.destinations.image_type import image_type
from ollamatrace.destinations.mlflow.values import json_text

_DATA_URL: Final = re.compile(r"data:[^,]*;base64,")


def data_url(image: Any) -> str:
    """A URL that shows `image`; what is no base64 (a path, an address) stays as it is."""
    if not isinstance(image, str):
        return json_text(image)
    content_type = image_type(image)
    return image if content_type is None else f"data:{content_type};base64,{image}"


def plain_image(url: str) -> str:
    """The base64 in a data URL; another address as it is."""
    mark = _DATA_URL.match(url)
    return url if mark is None else url[mark.end() :]
