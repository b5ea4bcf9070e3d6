"""The domain that a retraining is about, and the test sentences that judge it here and elsewhere.

Knows no training.
"""

from collections.abc import Sequence
from pathlib import Path

from cli.failures import say
from cli.retrain import DomainOptions
from services.loading import pack_store
from services.settings import Settings
from training.leaks import HeldOut
from training.ner_domains import NerDomain
from training.pack_lots import asked_domain
from wraner.errors import InvalidInput, WranerError
from wraner.pack_folders import read_definitions, read_examples
from wraner.packs import Domain, Pack, TaggedExample, definitions_of
from wraner.registry import Kind

TEST_FILE = "test.jsonl"


def stored_domain(settings: Settings, name: str) -> Domain:
    """Return the stored domain of a name.

    Raises:
        NotFound: there is none.
        Unavailable: it is damaged.
    """
    packs = pack_store(settings)
    return as_domain(name, packs.pack(Kind.DOMAIN, name, packs.current(Kind.DOMAIN, name)))


def as_domain(name: str, pack: Pack) -> Domain:
    """Return a pack that must be a domain.

    Raises:
        InvalidInput: it is a policy set.
    """
    if not isinstance(pack, Domain):
        raise InvalidInput(f"expected a domain, was: the policy set {name}; name a domain")
    return pack


def tests_of(
    options: DomainOptions, settings: Settings, name: str, pack: Domain
) -> tuple[TaggedExample, ...]:
    """Return the test sentences: as named, beside the pack, or of the domain that ships.

    Raises:
        InvalidInput: the file does not fit the pack, or holds no sentence.
    """
    beside = options.pack / TEST_FILE if options.pack else None
    file = options.test or (beside if beside and beside.is_file() else None)
    if file is None and options.domain:
        file = _shipped_test(settings, name, pack)
    if file is None:
        say(f"{name} has no test sentences (--test FILE); it is judged by parts of its examples")
        return ()
    test = _read(file, pack)
    if not test:
        raise InvalidInput(
            f"expected test sentences in {file}, was: none; write some, or remove the file to "
            "judge by parts of the examples"
        )
    say(f"{name} is judged by {file}")
    return test


def others_with_tests(
    settings: Settings, name: str, pack: Domain, test: Sequence[TaggedExample]
) -> tuple[NerDomain, ...]:
    """Return the other stored domains that have tests.

    None that is the same under another name, and no sentence that the pack holds or its own tests
    ask about: what is taught there counts as gained here, not as kept elsewhere.
    """
    here = HeldOut(e.text for e in (*pack.examples, *test))
    found = []
    for other in pack_store(settings).names(Kind.DOMAIN):
        if other == name or not (settings.packs_dir / other / TEST_FILE).is_file():
            continue
        try:
            stored = stored_domain(settings, other)
            file = _shipped_test(settings, other, stored)
            read = () if file is None else _read(file, stored)
        except WranerError as error:  # it spoils only itself
            say(f"{other} is not measured: {error}")
            continue
        asked = [e for e in read if not here.leaks(e.text)]
        if asked and definitions_of(stored) != definitions_of(pack):
            found.append(asked_domain(other, stored, asked))
    return tuple(found)


def _shipped_test(settings: Settings, name: str, pack: Domain) -> Path | None:
    """Return the tests that ship with a domain, where its definitions are still those."""
    folder = settings.packs_dir / name
    file = folder / TEST_FILE
    if not file.is_file() or read_definitions(folder) != definitions_of(pack):
        return None
    return file


def _read(file: Path, pack: Domain) -> tuple[TaggedExample, ...]:
    examples = read_examples(file, definitions_of(pack))
    return tuple(e for e in examples if isinstance(e, TaggedExample))
