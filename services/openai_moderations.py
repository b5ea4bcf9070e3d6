"""OpenAI's moderations: `POST /v1/moderations`, answered by the policies that are mapped to it.

A client moves here by changing its base URL. Fields beyond OpenAI's say what was not looked at.
Knows the shape on the wire; what is judged is `drop_in_scores`'.
"""

import uuid
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StrictStr, Tag

from services.drop_in import Category
from services.drop_in_scores import GroupScore, NamedGroup, score_groups
from services.gateway import Gateway
from wraner.errors import InvalidInput
from wraner.packs import Several

CATEGORIES: tuple[Category, ...] = get_args(Category)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TextPart(_Frozen):
    """A text among the parts of one input."""

    type: Literal["text"]
    text: StrictStr


class ImagePart(_Frozen):
    """An image among the parts of one input; refused, since only texts are judged."""

    type: Literal["image_url"]
    image_url: Any


def _kind(part: Any) -> str | None:
    """Return what a part is, in words that are no field's name, as faults drop such words."""
    given = part.get("type") if isinstance(part, dict) else getattr(part, "type", None)
    return {"text": "text part", "image_url": "image part"}.get(str(given))


Part = Annotated[
    Annotated[TextPart, Tag("text part")] | Annotated[ImagePart, Tag("image part")],
    Discriminator(
        _kind,
        custom_error_type="part_type",
        custom_error_message="expected a part with type text or image_url",
    ),
]


class ModerationCreateRequest(_Frozen):
    """What to judge: a text, several, or the parts of one, which are joined by line breaks.

    Any `model` is taken, so that clients need no change; the answer names the one that answered.
    """

    input: (
        StrictStr
        | Annotated[Several[StrictStr], Field(min_length=1)]
        | Annotated[Several[Part], Field(min_length=1)]
    )
    model: StrictStr | None = None


class ModerationResult(BaseModel):
    """One input. `category_applied_input_types` is empty where nothing is mapped to a category.

    `unmapped_categories` have no policies and are answered false and 0.
    """

    model_config = ConfigDict(frozen=True)

    flagged: bool
    categories: dict[Category, bool]
    category_scores: dict[Category, float]
    category_applied_input_types: dict[Category, tuple[Literal["text"], ...]]
    unmapped_categories: tuple[Category, ...]


class ModerationCreateResponse(BaseModel):
    """One result an input; `calibrated` says whether scores are probabilities."""

    model_config = ConfigDict(frozen=True)

    id: str
    model: str
    results: tuple[ModerationResult, ...]
    calibrated: bool


async def create_moderation(
    gateway: Gateway, request: ModerationCreateRequest
) -> ModerationCreateResponse:
    """Judge inputs by the policies of the categories.

    Raises:
        InvalidInput: an image, or a text that breaks a limit.
        Unavailable: what the categories are mapped to is not there.
    """
    groups = [NamedGroup(name, group) for name, group in gateway.drop_in.moderations.items()]
    scored = await score_groups(gateway, groups, text=_texts(request), field="/input")
    return ModerationCreateResponse(
        id=f"modr-{uuid.uuid4().hex}",
        model=scored.model,
        results=tuple(map(_result, scored.texts)),
        calibrated=scored.calibrated,
    )


def _texts(request: ModerationCreateRequest) -> str | tuple[str, ...]:
    if isinstance(request.input, str):
        return request.input
    parts: list[str] = []
    for number, part in enumerate(request.input):
        if isinstance(part, ImagePart):
            raise InvalidInput(
                "expected texts alone, was: an image; images are not judged here, leave it out "
                "or have it judged elsewhere",
                pointer=f"/input/{number}",
            )
        parts.append(part.text if isinstance(part, TextPart) else part)
    if isinstance(request.input[0], TextPart):
        return "\n".join(parts)
    return tuple(parts)


def _result(scores: Sequence[GroupScore]) -> ModerationResult:
    found = {score.name: score for score in scores}
    flagged = {c: c in found and found[c].flagged for c in CATEGORIES}
    return ModerationResult(
        flagged=any(flagged.values()),
        categories=flagged,
        category_scores={c: found[c].score if c in found else 0.0 for c in CATEGORIES},
        category_applied_input_types={c: ("text",) if c in found else () for c in CATEGORIES},
        unmapped_categories=tuple(c for c in CATEGORIES if c not in found),
    )
