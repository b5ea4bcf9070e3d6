"""Settings from a YAML file, with errors that say what is wrong where.

Knows no setting.
"""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from wraner.errors import InvalidInput
from wraner.formats.spans import fault
from wraner.yaml_files import check_keys

M = TypeVar("M", bound=BaseModel)


def read_settings_file(file: Path, kind: type[M], *, named: str) -> M:
    """Read settings; an empty file is the defaults. `named` says what they are called in an error.

    Raises:
        InvalidInput: the file cannot be read, or names the field that is wrong.
    """
    content = read_yaml(file, named=named)
    return checked({} if content is None else content, kind, file=file)


def read_yaml(file: Path, *, named: str) -> Any:
    """Return what a file holds, None where it is empty.

    Raises:
        InvalidInput: the file cannot be read, or a key is written twice.
    """
    try:
        text = file.read_text(encoding="utf-8")
        check_keys(file, yaml.compose(text, Loader=yaml.SafeLoader))
        return yaml.safe_load(text)
    except (
        OSError,
        ValueError,
        TypeError,
        AttributeError,
        RecursionError,
        yaml.YAMLError,
    ) as error:
        # All but the first and last: what YAML's reader makes of a value that is no date or number.
        raise InvalidInput(
            f"expected a YAML file of {named} at {file}: {error}; correct the path or the file"
        ) from error


def checked(content: object, kind: type[M], *, file: Path) -> M:
    """Return a file's content as settings.

    Raises:
        InvalidInput: names the field that is wrong.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise InvalidInput(f"{file}: {fault(error)}; correct the file") from error
