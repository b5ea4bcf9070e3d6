"""An index that tells the towns' dev texts apart, whatever a judge says."""

from collections.abc import Sequence

from tests.training.judged_towns import TOWNS
from wraner.packs import Policy, PolicySet
from wraner.retrieval import Evidence, Neighbours, PackRef, PolicyEvidence

_BREACHING = tuple(t.example.text for t in TOWNS.dev if t.breaches)


def breaching(text: str) -> bool:
    """Return whether a dev text, perhaps with words behind it, breaches something."""
    return text.startswith(_BREACHING)


class Leaning:
    """Leans towards a breach for hateful texts; the policy of a text comes first."""

    async def neighbours(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Neighbours]:
        raise NotImplementedError

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
        assert isinstance(pack.inline, PolicySet)
        return [self._of(text, pack.inline.policies) for text in texts]

    def _of(self, text: str, policies: Sequence[Policy]) -> Evidence:
        sign = 1.0 if breaching(text) else -1.0
        found = tuple(
            PolicyEvidence(p.id, (), (), 0.3, (), leaning=sign * 2, word_leaning=sign)
            for p in policies
        )
        return Evidence(found, "g", leaning=sign)
