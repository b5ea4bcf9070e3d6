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
from wraner.pack_folders import (
    DEFINITIONS_FILE,
    lines_or_marked,
    read_definitions,
    read_examples,
)
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
    file = options.test or (_test_in(options.pack) if options.pack else None)
    if file is None and options.domain:
        file = _test_that_ships(settings, name)
        if file is not None and not _is_written_for(file, pack):
            say(
                f"{file} was written for other definitions; name it with --test FILE; {name} is "
                "judged by parts of its examples"
            )
            return ()
    if file is None:
        say(f"{name} has no test sentences (--test FILE); it is judged by parts of its examples")
        return ()
    test, copies = _read(file, pack)
    if not test:
        raise InvalidInput(
            f"expected test sentences in {file}, was: none; write some, or remove the file to "
            "judge by parts of the examples"
        )
    say(f"{name} is judged by {file}{_left_out(copies)}")
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
        if other == name:
            continue
        try:
            file = _test_that_ships(settings, other)
            if file is None:
                continue
            stored = stored_domain(settings, other)
            if definitions_of(stored) == definitions_of(pack):
                continue
            read = _read_of_other(other, file, stored)
        except WranerError as error:  # it spoils only itself
            say(f"{other} is not measured: {error}")
            continue
        asked = [e for e in read if not here.leaks(e.text)]
        if asked:
            found.append(asked_domain(other, stored, asked))
    return tuple(found)


def _read_of_other(name: str, file: Path, pack: Domain) -> tuple[TaggedExample, ...]:
    if not _is_written_for(file, pack):
        raise InvalidInput(
            f"{file} was written for other definitions; where its sentences fit those that are "
            f"stored, write these into the {DEFINITIONS_FILE} beside it"
        )
    test, copies = _read(file, pack)
    if copies:
        say(f"{name} is measured by {file}{_left_out(copies)}")
    return test


def _test_that_ships(settings: Settings, name: str) -> Path | None:
    return _test_in(settings.packs_dir / name)


def _test_in(folder: Path) -> Path | None:
    """Return the tests in a pack folder."""
    file = lines_or_marked(folder / TEST_FILE)
    return file if file.is_file() else None


def _is_written_for(file: Path, pack: Domain) -> bool:
    """Return whether the definitions beside a file are those of the pack."""
    return read_definitions(file.parent) == definitions_of(pack)


def _read(file: Path, pack: Domain) -> tuple[tuple[TaggedExample, ...], int]:
    """Return the sentences of a file, each text once, and how many copies it has of them.

    The gate takes each for evidence of its own, which a text that stands twice is not.
    """
    examples = read_examples(file, definitions_of(pack))
    tagged = [e for e in examples if isinstance(e, TaggedExample)]
    first: dict[str, TaggedExample] = {}
    for example in tagged:
        first.setdefault(" ".join(example.text.split()), example)
    return tuple(first.values()), len(tagged) - len(first)


def _left_out(copies: int) -> str:
    """Return what is said of the copies in a file, "" where there are none."""
    return f"; left out as the same text again: {copies}" if copies else ""
