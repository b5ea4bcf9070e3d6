"""Replies: what the API answers, as frozen models.

The contract is `services.schema`; a test compares the two field for field. Fields that a newer
server adds are passed over. Positions are half-open, in code points where nothing else was asked
for. Knows no HTTP.
"""

from typing import Generic, Literal, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from wraner.packs import EntityType, Policy

E = TypeVar("E")


class _Reply(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True)


class Neighbour(_Reply):
    """An example that the answer rests on."""

    id: str
    similarity: float


class Versions(_Reply):
    """What answered: names with content hashes. `adapter` "" is the base model alone."""

    model: str
    adapter: str
    pack: str
    index: str


class Entity(_Reply):
    """A found entity, in the unit of positions that was asked for; score in 0..1."""

    start: int
    end: int
    text: str
    label: str
    score: float


class Coverage(_Reply):
    """How much of the text was looked at."""

    characters: int
    windows: int
    truncated: bool


class Extraction(_Reply):
    """The entities of one text."""

    entities: tuple[Entity, ...]
    neighbours: tuple[Neighbour, ...]
    coverage: Coverage


class Extractions(_Reply):
    """One result a text, in their order."""

    results: tuple[Extraction, ...]
    versions: Versions


class Span(_Reply):
    """A stretch of the text, half-open in code points."""

    start: int
    end: int


class PolicyMatch(_Reply):
    """A policy that the text breaches, and why this is thought."""

    policy: str
    title: str
    tier: int | None
    score: float
    neighbours: tuple[Neighbour, ...]
    evidence: tuple[Span, ...]


class JudgedCoverage(Coverage):
    """How much of the text and of the policy set was looked at."""

    policies_judged: tuple[str, ...]
    policies_skipped: int


class Verdict(_Reply):
    """The decision on one text; `flagged` is `decision == "violates"`."""

    decision: Literal["violates", "review", "allowed"]
    flagged: bool
    score: float
    calibrated: bool
    matches: tuple[PolicyMatch, ...]
    coverage: JudgedCoverage


class Verdicts(_Reply):
    """One result a text, in their order."""

    results: tuple[Verdict, ...]
    versions: Versions


class PackSummary(_Reply):
    """A stored pack; `examples` counts them, `version` is what `if_match` takes.

    A write answers with name, version and count alone; a domain has entity types, a policy set has
    policies.
    """

    name: str
    version: str
    examples: int
    description: str = ""
    entity_types: tuple[EntityType, ...] = ()
    policies: tuple[Policy, ...] = ()


class DamagedPack(_Reply):
    """A stored pack that cannot be read, and the way out."""

    name: str
    detail: str


class PackList(_Reply):
    """All packs of a kind; those that cannot be read are named apart."""

    packs: tuple[PackSummary, ...] = Field(validation_alias=AliasChoices("domains", "policy_sets"))
    damaged: tuple[DamagedPack, ...] = ()


class ExamplePage(_Reply, Generic[E]):
    """Some examples; `next` is the value of `after` for the next page, None at the end."""

    version: str
    examples: tuple[E, ...]
    next: str | None


class Problem(_Reply):
    """An error, after RFC 9457; `pointer` (RFC 6901) names the part of the body that is wrong."""

    type: str
    title: str
    status: int
    detail: str
    pointer: str
    request_id: str


class Health(_Reply):
    """Whether the service lives, or is ready to answer; `detail` says what is missing."""

    status: Literal["ok", "starting"]
    detail: str = ""
