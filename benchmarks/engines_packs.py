"""What `benchmarks.engines` asks about: the packs that ship, their texts, and ever more policies.

Knows no engine.
"""

from dataclasses import dataclass
from pathlib import Path

from wraner.pack_folders import read_pack_folder
from wraner.packs import Domain, JudgedExample, Policy, PolicySet, TaggedExample

TYPES = 10
POSTS_OF_A_KIND = 8


@dataclass(frozen=True)
class Measured:
    """The packs and the texts.

    `posts` are violating and neutral examples of `policies` in turn; `own_ids` names the example
    that each of them is, which must not be retrieved for it.
    """

    domain: Domain
    labels: tuple[str, ...]
    messages: tuple[str, ...]
    policies: PolicySet
    posts: tuple[str, ...]
    own_ids: dict[str, str]


def measured_packs(folder: Path) -> Measured:
    """Read both packs."""
    domain = read_pack_folder(folder / "customer-care")
    policies = read_pack_folder(folder / "hate-speech")
    assert isinstance(domain, Domain) and isinstance(policies, PolicySet)
    posts = chosen_posts(policies)
    return Measured(
        domain=domain,
        labels=domain.labels[:TYPES],
        messages=_messages(folder / "customer-care" / "test.jsonl"),
        policies=policies,
        posts=tuple(e.text for e in posts),
        own_ids={e.text: e.id for e in posts},
    )


def chosen_posts(policies: PolicySet) -> list[JudgedExample]:
    """Return examples from all over the set, violating and neutral ones in turn."""
    violating = [e for e in policies.examples if e.violates]
    neutral = [e for e in policies.examples if not e.violates]
    pairs = zip(_spread(violating), _spread(neutral), strict=True)
    return [example for pair in pairs for example in pair]


def with_policies(base: PolicySet, count: int) -> PolicySet:
    """Return the set cut or grown to `count` policies.

    Those beyond its own are its own again for invented groups by number; what violates or complies
    with one does so with all that were made from it.
    """
    rounds = -(-count // len(base.policies))
    made = [(p.id, _for_group(p, n)) for n in range(rounds) for p in base.policies][:count]
    copies: dict[str, list[str]] = {}
    for origin, policy in made:
        copies.setdefault(origin, []).append(policy.id)
    examples = []
    for e in base.examples:
        violates = tuple(i for origin in e.violates for i in copies.get(origin, ()))
        if e.complies == "all":
            examples.append(e)
            continue
        complies = tuple(i for origin in e.complies for i in copies.get(origin, ()))
        if violates or complies:
            examples.append(e.model_copy(update={"violates": violates, "complies": complies}))
    return base.model_copy(
        update={"policies": tuple(p for _, p in made), "examples": tuple(examples)}
    )


def _for_group(policy: Policy, number: int) -> Policy:
    if number == 0:
        return policy
    group = f"the invented group {number}"
    return policy.model_copy(
        update={
            "id": f"{policy.id}-{number}",
            "title": f"{group}: {policy.title}",
            "definition": f"Of {group}. {policy.definition}",
        }
    )


def _spread(examples: list[JudgedExample]) -> list[JudgedExample]:
    step = max(1, len(examples) // POSTS_OF_A_KIND)
    return examples[::step][:POSTS_OF_A_KIND]


def _messages(file: Path) -> tuple[str, ...]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return tuple(TaggedExample.model_validate_json(line).text for line in lines)
