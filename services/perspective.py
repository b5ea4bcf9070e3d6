"""Perspective's `POST /v1alpha1/comments:analyze`, answered by the policies that are mapped to it.

A client moves here by changing its base URL. Positions are UTF-16 units, as Perspective's are.
Knows the shape on the wire; what is judged is `drop_in_scores`'.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, model_validator
from pydantic.alias_generators import to_camel

from services.bodies import pointer_step
from services.drop_in import Group
from services.drop_in_scores import GroupScore, NamedGroup, ScoredSpan, score_groups
from services.gateway import Gateway
from services.offsets import converter
from services.problems import UNSUPPORTED, Refused, Row, refusal
from services.schema import Share
from wraner.errors import InvalidInput
from wraner.packs import Several

_EMPTY = Row("comment-empty", 422, "The comment is empty")
_LONG = Row("comment-too-long", 422, "The comment is too long")
_NOTHING = Row("no-requested-attributes", 422, "No attribute is asked for")
_LANGUAGE = Row("language-not-supported", 422, "The comment's language is not read")


class _Request(BaseModel):
    """Google reads each field by its name in JSON and by its name in the protocol buffer."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True
    )

    @model_validator(mode="before")
    @classmethod
    def _unset(cls, given: Any) -> Any:
        """Read null as a field that is not there, as JSON of protocol buffers does."""
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if value is not None}


class _Response(BaseModel):
    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, serialize_by_alias=True, validate_by_name=True
    )


class Comment(_Request):
    """The text to judge; plain, since Perspective takes no other."""

    text: StrictStr
    type: Literal["PLAIN_TEXT", "TEXT_TYPE_UNSPECIFIED"] = "PLAIN_TEXT"


class RequestedAttribute(_Request):
    """How to answer an attribute; a score below `scoreThreshold` is left out."""

    score_type: Literal["PROBABILITY", "SCORE_TYPE_UNSPECIFIED"] = "PROBABILITY"
    score_threshold: Share = 0.0


class AnalyzeCommentRequest(_Request):
    """A comment and the attributes to score.

    `context`, `sessionId` and `communityId` are taken and change nothing; nor does `doNotStore`,
    since no comment is stored. Languages that are not read are refused. So are attributes that are
    not mapped, or left out where `dropUnsupportedAttributes` says so.
    """

    comment: Comment
    requested_attributes: dict[StrictStr, RequestedAttribute] = Field(default_factory=dict)
    span_annotations: StrictBool = False
    languages: Several[StrictStr] = ()
    drop_unsupported_attributes: StrictBool = False
    client_token: StrictStr | None = None
    context: Any = None
    do_not_store: StrictBool = False
    session_id: StrictStr = ""
    community_id: StrictStr = ""


class Score(_Response):
    """A score, 0 to 1."""

    value: float
    type: Literal["PROBABILITY"] = "PROBABILITY"


class SpanScore(_Response):
    """A score of a stretch of the comment, half-open in UTF-16 units."""

    begin: int
    end: int
    score: Score


class AttributeScores(_Response):
    """An attribute's scores; without evidence one span is the whole comment."""

    span_scores: tuple[SpanScore, ...]
    summary_score: Score


class AnalyzeCommentResponse(_Response):
    """Scores by attribute.

    `languages` are the request's, or the one that is read. None is detected, so `detectedLanguages`
    is always empty; it is there for clients that read it. `calibrated` says whether summary scores
    are probabilities.
    """

    attribute_scores: dict[str, AttributeScores]
    languages: tuple[str, ...]
    detected_languages: tuple[str, ...] = ()
    client_token: str | None = Field(None, exclude_if=lambda token: token is None)
    calibrated: bool


async def analyze_comment(
    gateway: Gateway, request: AnalyzeCommentRequest
) -> AnalyzeCommentResponse:
    """Judge a comment by the policies of the attributes that are asked for.

    Raises:
        InvalidInput: an attribute is not mapped.
        Refused: no attribute is asked for, a language is not read, or the text breaks a limit.
        Unavailable: what the attributes are mapped to is not there.
    """
    groups = _groups(gateway.drop_in.attributes, request)
    read = gateway.drop_in.languages
    _check_languages(read, request.languages, of=groups[0].name)
    text = request.comment.text
    try:
        scored = await score_groups(gateway, groups, text=text, field="/comment/text")
    except InvalidInput as error:
        row = _LONG if text.strip() else _EMPTY
        raise refusal(row, error.message, pointer=error.pointer) from None
    wanted = request.requested_attributes
    return AnalyzeCommentResponse(
        attribute_scores={
            found.name: _scores(text, found, spans=request.span_annotations)
            for found in scored.texts[0]
            if found.score >= wanted[found.name].score_threshold
        },
        languages=request.languages or (read if len(read) == 1 else ()),
        client_token=request.client_token,
        calibrated=scored.calibrated,
    )


def refuse_suggestion() -> Refused:
    """Make the error that answers `comments:suggestscore`."""
    return refusal(
        UNSUPPORTED,
        "suggested scores are not taken; add the comment to the examples of a policy set instead: "
        "POST /v1/policy-sets/{name}/examples",
    )


def _groups(mapped: Mapping[str, Group], request: AnalyzeCommentRequest) -> list[NamedGroup]:
    asked = request.requested_attributes
    if not asked:
        raise refusal(
            _NOTHING,
            f"expected at least 1 attribute, some of: {', '.join(mapped) or 'none is mapped'}",
            pointer="/requestedAttributes",
        )
    unknown = [name for name in asked if name not in mapped]
    if unknown and (not request.drop_unsupported_attributes or len(unknown) == len(asked)):
        raise InvalidInput(
            f"Unknown requested attribute: {unknown[0][:80]}; expected some of: "
            f"{', '.join(mapped) or 'none is mapped'}; map others in the file of WRANER_DROP_IN",
            pointer="/requestedAttributes" + pointer_step(unknown[0]),
        )
    return [NamedGroup(name, mapped[name]) for name in asked if name in mapped]


def _check_languages(read: Sequence[str], asked: Sequence[str], *, of: str) -> None:
    """Refuse a comment in a language that is not read: its scores would say nothing.

    `of` is an attribute to name, as Perspective does.
    """
    for number, code in enumerate(asked):
        if code.replace("_", "-").split("-")[0].lower() not in read:
            raise refusal(
                _LANGUAGE,
                f"Attribute {of} does not support request languages: {code[:80]}; supported are: "
                f"{', '.join(read)}; name others in the file of WRANER_DROP_IN",
                pointer=f"/languages/{number}",
            )


def _scores(text: str, found: GroupScore, *, spans: bool) -> AttributeScores:
    position = converter(text, "utf16")
    whole = (ScoredSpan(0, len(text), found.score),)
    return AttributeScores(
        span_scores=tuple(
            SpanScore(begin=position(s.start), end=position(s.end), score=Score(value=s.score))
            for s in (spans and found.evidence) or whole
        ),
        summary_score=Score(value=found.score),
    )
