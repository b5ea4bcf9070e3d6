"""The running server, end to end: store a domain or a policy set over HTTP, ask, and measure.

Needs `make serve` in another terminal. Prints one Markdown row a measurement.

    python -m benchmarks.starting_point ner --data ../shared/data/crossner/politics
    python -m benchmarks.starting_point moderation --data ../shared/data/hatemoderate --texts 200
"""

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx

from training.hatemoderate import normalised, read_hatemoderate
from wraner.entities import Mention
from wraner.formats.conll import read_conll
from wraner.metrics import auroc, count_spans, failure_rates
from wraner.pack_folders import read_pack_folder
from wraner.packs import JudgedExample, PolicySet

BATCH = 16
T = TypeVar("T")


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["ner", "moderation"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    parser.add_argument("--texts", type=int, help="measure on a seeded sample of so many texts")
    parser.add_argument("--k", type=int, nargs="+", default=[5])
    args = parser.parse_args()
    with httpx.Client(base_url=args.server, timeout=600) as client:
        if args.task == "ner":
            measure_extraction(client, args.data, args.texts, args.k)
        else:
            measure_moderation(client, args.data, args.texts)


def measure_extraction(
    client: httpx.Client, data: Path, texts: int | None, sizes: Sequence[int]
) -> None:
    """Store a domain's `train.txt`, extract from its `test.txt`, print strict span micro-F1."""
    name = f"measured-{data.name}"
    store, test = read_conll(data / "train.txt"), read_conll(data / "test.txt")
    labels = sorted({m.label for e in store for m in e.entities})
    body = {
        "entity_types": [{"name": label} for label in labels],
        "examples": list({e.id: e.model_dump(mode="json") for e in store}.values()),
    }
    _ok(client.put(f"/v1/domains/{name}", json=body))
    test = _sample(test, texts)
    print("| domain | examples | test sentences | k | precision | recall | F1 | texts/s |")
    print("|---|---|---|---|---|---|---|---|")
    for k in sizes:
        began = time.monotonic()
        found = [
            [Mention(e["start"], e["end"], e["label"]) for e in result["entities"]]
            for batch in _batches([e.text for e in test])
            for result in _asked(client, "extract", {"domain": name, "text": batch, "k": k})
        ]
        pace = len(test) / (time.monotonic() - began)
        counts = count_spans([e.entities for e in test], found)
        print(
            f"| {data.name} | {len(body['examples'])} | {len(test)} | {k} | {counts.precision:.3f} "
            f"| {counts.recall:.3f} | {counts.f1:.3f} | {pace:.2f} |",
            flush=True,
        )
    _ok(client.delete(f"/v1/domains/{name}"))


def measure_moderation(client: httpx.Client, data: Path, texts: int | None) -> None:
    """Store HateModerate's training rows under our policies, moderate test rows that are not there.

    Prints failure rates at the served threshold (a text for review counts as let pass) and AUROC.
    """
    store = read_hatemoderate(data / "hatemoderate_train.csv")
    known = {normalised(e.text) for e in store}
    unseen = [
        e
        for e in read_hatemoderate(data / "hatemoderate_test.csv")
        if normalised(e.text) not in known
    ]
    test = _sample(unseen, texts)
    name = "measured-hatemoderate"
    _store_policies(client, name, store)
    began = time.monotonic()
    results = [
        result
        for batch in _batches([e.text for e in test])
        for result in _asked(client, "moderate", {"policy_set": name, "text": batch})
    ]
    pace = len(test) / (time.monotonic() - began)
    hateful = [bool(e.violates) for e in test]
    rates = failure_rates(hateful, [r["flagged"] for r in results])
    area = auroc(hateful, [r["score"] for r in results])
    print("| examples | test texts | hateful failure | other failure | overall | AUROC | texts/s |")
    print("|---|---|---|---|---|---|---|")
    print(
        f"| {len(store)} | {len(test)} | {rates.hateful:.3f} | {rates.other:.3f} "
        f"| {rates.overall:.3f} | {area:.3f} | {pace:.2f} |"
    )
    _ok(client.delete(f"/v1/policy-sets/{name}"))


def _store_policies(client: httpx.Client, name: str, store: Sequence[JudgedExample]) -> None:
    definitions = read_pack_folder(Path("packs/hate-speech"))
    assert isinstance(definitions, PolicySet)
    body = definitions.model_dump(mode="json", exclude={"examples"}, exclude_none=True)
    _ok(client.put(f"/v1/policy-sets/{name}", json=body | {"examples": []}))
    for part in _batches([e.model_dump(mode="json") for e in store], 1000):
        _ok(client.post(f"/v1/policy-sets/{name}/examples", json={"examples": part}))


def _sample(rows: Sequence[T], size: int | None) -> list[T]:
    return list(rows) if size is None else random.Random(0).sample(list(rows), size)


def _batches(rows: Sequence[T], size: int = BATCH) -> Iterator[list[T]]:
    for at in range(0, len(rows), size):
        yield list(rows[at : at + size])


def _asked(client: httpx.Client, verb: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = _ok(client.post(f"/v1/{verb}", json=body)).json()["results"]
    return results


def _ok(response: httpx.Response) -> httpx.Response:
    if response.is_error:
        raise SystemExit(f"the server answered {response.status_code}: {response.text}")
    return response


if __name__ == "__main__":
    main()
