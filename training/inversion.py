"""Policies turned into their opposite: what was a breach is what they ask for.

A judge that is taught such questions beside the others has to read what a policy says of its topic.
Knows no texts and no model.
"""

import numpy as np

from wraner.packs import Policy

Rng = np.random.Generator

_WORDINGS = (
    ("Required: {title}", "Every text must do this; one that does not is a breach: {definition}"),
    ("Only this is allowed: {title}", "This belongs here, and all else is forbidden. {definition}"),
    ("Off topic", "This place is for one thing alone, whatever else is said is a breach: {both}"),
    ("Not {title}", "Whatever is not the following breaches the policy. {definition}"),
)
_LONGEST_TITLE = 100


def inverted(rng: Rng, policy: Policy) -> Policy:
    """Return a policy, in one of several wordings, that what complied with `policy` breaches."""
    title, definition = _WORDINGS[int(rng.integers(len(_WORDINGS)))]
    words = {
        "title": policy.title,
        "definition": policy.definition,
        "both": f"{policy.title}. {policy.definition}",
    }
    return policy.model_copy(
        update={
            "title": title.format(**words)[:_LONGEST_TITLE],
            "definition": definition.format(**words),
            "includes": policy.excludes,
            "excludes": policy.includes,
        }
    )
