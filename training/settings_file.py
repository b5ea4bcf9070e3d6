"""A tuning's settings from a YAML file, with errors that say what is wrong where.

Knows no setting.
"""

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from wraner.errors import InvalidInput
from wraner.formats.spans import fault

M = TypeVar("M", bound=BaseModel)


def read_settings_file(file: Path, kind: type[M], *, named: str) -> M:
    """Read settings; `named` says what they are called in an error.

    Raises:
        InvalidInput: the file cannot be read, or names the field that is wrong.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        return kind.model_validate({} if content is None else content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInput(
            f"expected a YAML file of {named} at {file}: {error}; correct the path or the file"
        ) from error
    except ValidationError as error:
        raise InvalidInput(f"{file}: {fault(error)}; correct the file") from error
