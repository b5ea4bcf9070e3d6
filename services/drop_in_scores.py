"""Drop-in scores: what the policies of a group say of a text, by one moderation a policy set.

Both drop-in APIs stand on this. Knows no HTTP and neither API's shape.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.drop_in import DropIn, Group
from services.gateway import Gateway
from services.problems import Refused
from services.schema import ModerateRequest
from wraner.errors import InvalidInput, NotFound, Unavailable, WranerError
from wraner.packs import PolicySet
from wraner.policies import PolicyMatch, Verdict
from wraner.registry import Kind, Stored

FEW = 5
"""So many policies cost no more than the moderator's own shortlist; they are judged without one."""

_SHOWN = 16  # characters of an adapter's hash, as of the base model's


@dataclass(frozen=True, slots=True)
class NamedGroup:
    """A group by the name that an API gives it."""

    name: str
    group: Group


@dataclass(frozen=True, slots=True)
class ScoredSpan:
    """A stretch of the text, in code points, with the highest score that it is evidence for."""

    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class GroupScore:
    """One group on one text: the highest score among its policies that were judged, one at least.

    A group of a whole policy set has the text's score. It is `calibrated` where it is a
    probability, which the highest of several is not. No span has a higher score than the group.
    """

    name: str
    score: float
    flagged: bool
    calibrated: bool
    evidence: tuple[ScoredSpan, ...]


@dataclass(frozen=True, slots=True)
class Scored:
    """The groups' scores, text by text in their order, and which model and adapter gave them."""

    texts: tuple[tuple[GroupScore, ...], ...]
    model: str

    @property
    def calibrated(self) -> bool:
        """Whether all scores are probabilities."""
        return all(group.calibrated for groups in self.texts for group in groups)


async def score_groups(
    gateway: Gateway, groups: Sequence[NamedGroup], *, text: str | tuple[str, ...], field: str
) -> Scored:
    """Judge texts by the policies of groups.

    Raises:
        InvalidInput: a text breaks a limit; the pointer is under `field`.
        Unavailable: a group names a policy or a policy set that is not there, there is no group,
            or a policy set or the adapter is changed meanwhile.
    """
    if not groups:
        raise Unavailable("nothing is mapped to policies; map it in the file of WRANER_DROP_IN")
    deadline = gateway.deadline()
    by_text: list[list[GroupScore]] = [[] for _ in ([text] if isinstance(text, str) else text)]
    judges: set[tuple[str, str]] = set()
    for name in dict.fromkeys(g.group.policy_set for g in groups):
        stored = await _stored(gateway, name)
        own = [g for g in groups if g.group.policy_set == name]
        ids = [_check(g, stored) for g in own]
        request = _request(ids, stored, text=text, drop_in=gateway.drop_in)
        try:
            verdicts, versions = await gateway.judge(
                request, among=_union(ids), beside=tuple(ids), deadline=deadline
            )
        except InvalidInput as error:
            raise await _told(gateway, stored, error, field) from None
        except Refused:  # of the policy set's name, which was right when it was read
            await _stored(gateway, name)
            raise _changed(name) from None
        if versions.pack != stored.version:
            raise _changed(name)
        judges.add((versions.model, versions.adapter))
        if len(judges) > 1:  # another adapter was promoted: its scores are not like the others
            raise Unavailable("the adapter for moderation was changed meanwhile; try again")
        for found, verdict in zip(by_text, verdicts, strict=True):
            found += [_grouped(g, set(of), verdict) for g, of in zip(own, ids, strict=True)]
    ((model, adapter),) = judges
    return Scored(tuple(map(tuple, by_text)), "+".join(filter(None, (model, adapter[:_SHOWN]))))


async def complaints(gateway: Gateway) -> list[str]:
    """Return what the drop-in file names and the store has not, nor imports as it starts."""
    found: dict[str, None] = {}  # a missing policy set is missing in many groups
    for groups in (gateway.drop_in.moderations, gateway.drop_in.attributes):
        for name, group in groups.items():
            try:
                _check(NamedGroup(name, group), await _stored(gateway, group.policy_set))
            except Unavailable as error:
                missing = isinstance(error.__cause__, NotFound)
                if not (missing and gateway.is_awaited(Kind.POLICY_SET, group.policy_set)):
                    found[str(error)] = None
    return list(found)


async def _stored(gateway: Gateway, name: str) -> Stored:
    try:
        return await gateway.pack(Kind.POLICY_SET, name)
    except (NotFound, InvalidInput) as error:
        raise Unavailable(
            f"the file of WRANER_DROP_IN names the policy set {name!r}, which is not stored; "
            f"PUT /v1/policy-sets/{name}, or correct the file and start anew"
        ) from error


def _union(ids: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({policy for group in ids for policy in group}))


def _request(
    ids: Sequence[tuple[str, ...]],
    stored: Stored,
    *,
    text: str | tuple[str, ...],
    drop_in: DropIn,
) -> ModerateRequest:
    asked = _union(ids)
    every = len(asked) == len(_policies(stored).policies)  # named one by one, no text has a score
    few = drop_in.exhaustive or len(asked) <= FEW
    return ModerateRequest(
        policy_set=stored.name,
        text=text,
        policies=asked if few and not every else None,
        exhaustive=few and every,
        threshold=drop_in.threshold,
    )


def _check(named: NamedGroup, stored: Stored) -> tuple[str, ...]:
    """Return the ids of a group's policies, each of which the set declares."""
    declared = _policies(stored)
    ids = named.group.of(declared)
    unknown = sorted(set(ids) - {p.id for p in declared.policies})
    if unknown:
        raise Unavailable(
            f"the file of WRANER_DROP_IN maps {named.name} to {', '.join(unknown)}, which the "
            f"policy set {stored.name!r} does not declare; correct the file and start anew, or "
            "add the policies"
        )
    return ids


def _policies(stored: Stored) -> PolicySet:
    assert isinstance(stored.definitions, PolicySet)
    return stored.definitions


async def _told(gateway: Gateway, stored: Stored, error: InvalidInput, field: str) -> WranerError:
    """Return the error of a text under the name that the drop-in API's body has for it.

    What else is refused are policies, which the caller did not send: they are not as they were
    when they were named, or do not fit the model.
    """
    if error.pointer.startswith("/text"):
        return InvalidInput(error.message, pointer=error.pointer.replace("/text", field, 1))
    now = await _stored(gateway, stored.name)
    if now.version != stored.version:
        return _changed(stored.name)
    return Unavailable(f"the policy set {stored.name!r} cannot be judged by: {error.message}")


def _changed(name: str) -> Unavailable:
    return Unavailable(f"the policy set {name!r} was changed meanwhile; try again")


def _grouped(named: NamedGroup, ids: set[str], verdict: Verdict) -> GroupScore:
    judged = [m for m in verdict.judged if m.policy in ids]
    whole = named.group.policies == "all"
    score = verdict.score if whole else max(m.score for m in judged)
    return GroupScore(
        name=named.name,
        score=score,
        flagged=verdict.flagged and any(m.policy in ids for m in verdict.matches),
        calibrated=verdict.calibrated and (whole or len(ids) == 1),
        evidence=_spans(judged, most=score),
    )


def _spans(matches: Sequence[PolicyMatch], *, most: float) -> tuple[ScoredSpan, ...]:
    best: dict[tuple[int, int], float] = {}
    for match in matches:
        for span in match.evidence:
            place = (span.start, span.end)
            best[place] = max(min(match.score, most), best.get(place, 0.0))
    return tuple(ScoredSpan(start, end, score) for (start, end), score in sorted(best.items()))
