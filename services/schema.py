"""Requests and responses: the public contract, field for field.

Requests refuse what they do not know; responses may grow. Packs in bodies are the models of
`wraner.packs` themselves. Rules that need settings or stored packs are checked in `intake` and
`gateway`. Knows no HTTP.
"""

from typing import Annotated, Literal

from pydantic import (
    AllowInfNan,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
)

from wraner.packs import (
    Domain,
    EntityType,
    JudgedExample,
    Label,
    Policy,
    PolicySet,
    Several,
    TaggedExample,
)

Share = Annotated[StrictFloat, Field(ge=0, le=1), AllowInfNan(False)]
Texts = Annotated[
    StrictStr | Annotated[Several[StrictStr], Field(min_length=1)],
    Field(description="one text, or several; each is answered on its own"),
]
MAX_NEIGHBOURS = 64


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Response(BaseModel):
    model_config = ConfigDict(frozen=True)


class ExtractRequest(_Request):
    """What to extract: exactly one of `domain` (stored) and `inline` (definitions sent along).

    Positions in inline examples are code points, whatever `offset_unit` says of the answer.
    """

    domain: StrictStr | None = None
    inline: Domain | None = None
    text: Texts
    entity_types: Annotated[Several[Label], Field(min_length=1)] | None = Field(
        None, description="limit the answer to these types of the domain; left out: all"
    )
    k: Annotated[StrictInt, Field(ge=0, le=MAX_NEIGHBOURS)] | None = Field(
        None, description="how many examples to retrieve a text; left out: the server's setting"
    )
    min_score: Share = 0.0
    offset_unit: Literal["codepoint", "utf16"] = "codepoint"


class ModerateRequest(_Request):
    """What to judge: exactly one of `policy_set` (stored) and `inline` (policies sent along)."""

    policy_set: StrictStr | None = None
    inline: PolicySet | None = None
    text: Texts
    policies: Annotated[Several[Label], Field(min_length=1)] | None = Field(
        None, description="judge these, without a shortlist"
    )
    exhaustive: StrictBool = Field(False, description="judge every policy of the set")
    threshold: Share | None = None


class AddTaggedExamples(_Request):
    """Examples to add to a domain."""

    examples: Annotated[Several[TaggedExample], Field(min_length=1)]


class AddJudgedExamples(_Request):
    """Examples to add to a policy set."""

    examples: Annotated[Several[JudgedExample], Field(min_length=1)]


class Neighbour(_Response):
    """An example that the answer rests on."""

    id: str
    similarity: float


class Versions(_Response):
    """What answered: names with content hashes. `adapter` "" is the base model alone."""

    model: str
    adapter: str
    pack: str
    index: str


class Entity(_Response):
    """A found entity; positions are half-open, in the unit that was asked for."""

    start: int
    end: int
    text: str
    label: str
    score: float


class Coverage(_Response):
    """How much of the text was looked at."""

    characters: int
    windows: int
    truncated: bool


class Extraction(_Response):
    """The entities of one text."""

    entities: list[Entity]
    neighbours: list[Neighbour]
    coverage: Coverage


class ExtractResponse(_Response):
    """One result a text, in their order."""

    results: list[Extraction]
    versions: Versions


class Span(_Response):
    """A stretch of the text, half-open in code points."""

    start: int
    end: int


class PolicyMatch(_Response):
    """A policy that the text breaches, and why this is thought."""

    policy: str
    title: str
    tier: int | None
    score: float
    neighbours: list[Neighbour]
    evidence: list[Span]


class JudgedCoverage(Coverage):
    """How much of the text and of the policy set was looked at."""

    policies_judged: list[str]
    policies_skipped: int


class Verdict(_Response):
    """The decision on one text; `flagged` is `decision == "violates"`.

    `calibrated` says whether scores are probabilities. They are none where nothing was fitted; nor
    is the highest of several, where a request names policies or a set's titles do not fit the
    model's context.
    """

    decision: Literal["violates", "review", "allowed"]
    flagged: bool
    score: float
    calibrated: bool
    matches: list[PolicyMatch]
    coverage: JudgedCoverage


class ModerateResponse(_Response):
    """One result a text, in their order."""

    results: list[Verdict]
    versions: Versions


class PackSummary(_Response):
    """A stored pack after a write; `version` is also its ETag."""

    name: str
    version: str
    examples: int


class DomainSummary(PackSummary):
    """A stored domain."""

    description: str
    entity_types: list[EntityType]


class PolicySetSummary(PackSummary):
    """A stored policy set."""

    description: str
    policies: list[Policy]


class DamagedPack(_Response):
    """A stored pack that cannot be read, and the way out."""

    name: str
    detail: str


class DomainList(_Response):
    """All domains; those that cannot be read are named apart."""

    domains: list[DomainSummary]
    damaged: list[DamagedPack] = []


class PolicySetList(_Response):
    """All policy sets; those that cannot be read are named apart."""

    policy_sets: list[PolicySetSummary]
    damaged: list[DamagedPack] = []


class TaggedExamplePage(_Response):
    """Some examples; `next` is the value of `after` for the next page, null at the end."""

    version: str
    examples: list[TaggedExample]
    next: str | None


class JudgedExamplePage(_Response):
    """Some examples; `next` is the value of `after` for the next page, null at the end."""

    version: str
    examples: list[JudgedExample]
    next: str | None


class Problem(_Response):
    """An error, after RFC 9457; `pointer` (RFC 6901) names the part of the body that is wrong."""

    type: str
    title: str
    status: int
    detail: str
    pointer: str
    request_id: str


class Health(_Response):
    """Whether the service lives, or is ready to answer; `detail` says what is missing."""

    status: Literal["ok", "starting"]
    detail: str = ""
