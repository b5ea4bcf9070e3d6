"""The client's replies are the server's, field for field; importing the client stays light."""

import inspect
import json
import pkgutil
import subprocess
import sys

import pytest
from pydantic import BaseModel

import wraner.client
from services import examples, schema
from wraner.client import replies
from wraner.client.asynchronous import AsyncClient
from wraner.client.calls import reading
from wraner.client.sync import Client
from wraner.packs import JudgedExample, TaggedExample

SAME: list[tuple[type[BaseModel], type[BaseModel]]] = [
    (replies.Neighbour, schema.Neighbour),
    (replies.Versions, schema.Versions),
    (replies.Entity, schema.Entity),
    (replies.Coverage, schema.Coverage),
    (replies.Extraction, schema.Extraction),
    (replies.Extractions, schema.ExtractResponse),
    (replies.Span, schema.Span),
    (replies.PolicyMatch, schema.PolicyMatch),
    (replies.JudgedCoverage, schema.JudgedCoverage),
    (replies.Verdict, schema.Verdict),
    (replies.Verdicts, schema.ModerateResponse),
    (replies.DamagedPack, schema.DamagedPack),
    (replies.ExamplePage, schema.TaggedExamplePage),
    (replies.ExamplePage, schema.JudgedExamplePage),
    (replies.Problem, schema.Problem),
    (replies.Health, schema.Health),
]
SUMMARIES = (schema.PackSummary, schema.DomainSummary, schema.PolicySetSummary)


def required(model: type[BaseModel]) -> dict[str, bool]:
    return {name: field.is_required() for name, field in model.model_fields.items()}


@pytest.mark.parametrize(("ours", "theirs"), SAME)
def test_a_reply_has_the_fields_of_the_contract(
    ours: type[BaseModel], theirs: type[BaseModel]
) -> None:
    assert required(ours) == required(theirs)


def test_a_summary_has_the_fields_of_all_three_of_the_contract() -> None:
    """It is required what is in each of them."""
    every = [required(model) for model in SUMMARIES]
    names = set().union(*every)
    assert required(replies.PackSummary) == {n: all(r.get(n) for r in every) for n in names}


@pytest.mark.parametrize(
    ("theirs", "field"), [(schema.DomainList, "domains"), (schema.PolicySetList, "policy_sets")]
)
def test_a_list_reads_either_kind(theirs: type[BaseModel], field: str) -> None:
    ours = required(replies.PackList)
    assert {field: ours.pop("packs"), **ours} == required(theirs)
    listed = examples.RESPONSES[theirs.__name__]
    assert [p.name for p in reading(replies.PackList)(encoded(listed)).packs] == [
        p["name"] for p in listed[field]
    ]


def test_every_reply_is_compared() -> None:
    models = {
        m
        for m in vars(replies).values()
        if isinstance(m, type) and m.__module__ == replies.__name__
    }
    assert models - {replies._Reply} == {o for o, _ in SAME} | {
        replies.PackSummary,
        replies.PackList,
    }


@pytest.mark.parametrize(
    ("ours", "name"),
    [
        (replies.Extractions, "ExtractResponse"),
        (replies.Verdicts, "ModerateResponse"),
        (replies.PackSummary, "PackSummary"),
        (replies.PackSummary, "DomainSummary"),
        (replies.PackSummary, "PolicySetSummary"),
        (replies.PackList, "PolicySetList"),
        (replies.ExamplePage[TaggedExample], "TaggedExamplePage"),
        (replies.ExamplePage[JudgedExample], "JudgedExamplePage"),
        (replies.Health, "Health"),
    ],
)
def test_the_worked_examples_are_read_even_when_they_have_grown(
    ours: type[BaseModel], name: str
) -> None:
    example = examples.RESPONSES[name]
    assert reading(ours)(encoded(grown(example))) == reading(ours)(encoded(example))


def test_both_clients_have_the_same_verbs() -> None:
    sync, awaited = verbs(Client), verbs(AsyncClient)
    assert len(sync) == 20 and sync == awaited


def test_importing_the_client_loads_nothing_heavy() -> None:
    modules = [f"wraner.client.{m.name}" for m in pkgutil.iter_modules(wraner.client.__path__)]
    assert len(modules) > 5
    heavy = ["torch", "transformers", "ray", "numpy", "fastapi", "faiss", "gensim", "yaml"]
    code = f"import sys, {', '.join(modules)}; print(*set({heavy!r}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def verbs(client: type) -> dict[str, str]:
    """Return the public methods with their signatures and what they say of themselves."""
    own = {n: m for n, m in vars(client).items() if not n.startswith("_") and "close" not in n}
    return {
        name: f"{inspect.signature(method)} {inspect.getdoc(method)}".replace("AsyncIt", "It")
        for name, method in own.items()
    }


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def grown(value: object) -> object:
    """Add a field to every object, at every depth."""
    if isinstance(value, dict):
        return {**{k: grown(v) for k, v in value.items()}, "brand_new": [1]}
    return [grown(v) for v in value] if isinstance(value, list) else value
