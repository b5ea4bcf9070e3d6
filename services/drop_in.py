"""Drop-in: which policies answer for the categories and attributes of other APIs.

One file says so, `drop_in.yaml` where no other is named. Its form is checked here; whether the
policies exist is seen when they are asked for. Knows no HTTP.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, ValidationError

from services.faults import first_fault
from services.schema import Share
from wraner.errors import InvalidInput
from wraner.packs import Label, PolicySet
from wraner.yaml_files import check_keys

BUNDLED = "bundled"
_SHIPPED = Path(__file__).with_suffix(".yaml")

Category = Literal[
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Group(_Frozen):
    """Policies of one stored set that answer together; `"all"`: whatever the set declares."""

    policy_set: StrictStr
    policies: Annotated[tuple[Label, ...], Field(min_length=1)] | Literal["all"]

    def of(self, declared: PolicySet) -> tuple[str, ...]:
        """Return the ids of the policies in the group."""
        return tuple(p.id for p in declared.policies) if self.policies == "all" else self.policies


class DropIn(_Frozen):
    """The groups by the names that other APIs give them.

    Scores from `threshold` on flag, unless a policy has its own; `exhaustive` judges all policies
    of the groups asked for, without a shortlist. `languages` are those that the policies' judge
    reads, by their BCP 47 codes without a region.
    """

    threshold: Share
    exhaustive: StrictBool
    languages: tuple[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")], ...] = ("en",)
    moderations: dict[Category, Group]
    attributes: dict[Label, Group]


def read_drop_in(chosen: str) -> DropIn:
    """Return the groups of a file, or of the one that ships.

    Raises:
        InvalidInput: the file is missing, no YAML, or of another form.
    """
    path = _SHIPPED if chosen == BUNDLED else Path(chosen)
    try:
        words = path.read_text(encoding="utf-8")
        content: Any = yaml.safe_load(words)
    except (
        OSError,
        ValueError,
        AttributeError,
        TypeError,
        RecursionError,
        yaml.YAMLError,
    ) as error:
        reason = " ".join(str(error).split())
        raise InvalidInput(
            f"WRANER_DROP_IN: expected a YAML file such as {_SHIPPED}, was: {path} ({reason})"
        ) from None
    try:
        check_keys(path, yaml.compose(words, Loader=yaml.SafeLoader))
        return DropIn.model_validate(content)
    except InvalidInput as error:
        raise InvalidInput(f"WRANER_DROP_IN: {error.message}") from None
    except ValidationError as error:
        fault = first_fault(error, content)
        raise InvalidInput(f"WRANER_DROP_IN: {path}: {fault.pointer}: {fault}") from None
