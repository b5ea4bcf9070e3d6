"""Discovery: the document from which Google's clients build their calls of `comments:analyze`.

`perspective_discovery.json` holds it without an address: the types that Google's public reference
names, without its prose.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

VERSION = "v1alpha1"
_FILE = Path(__file__).with_name("perspective_discovery.json")


def discovery_document(address: str) -> dict[str, Any]:
    """Return the document of the service at an address, such as ``http://127.0.0.1:8000/``."""
    return _document() | {"rootUrl": address, "baseUrl": address}


@lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return found
