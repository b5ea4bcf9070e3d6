"""The image's recipe is sound, and what it copies can serve and index; nothing is built here."""

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from services.loading import set_environment
from services.settings import Settings
from tests.k8s.image import (
    IGNORED,
    RECIPE,
    is_ignored,
    lay_out,
    program,
    recipe_complaints,
    unpinned,
    variables,
)
from tests.k8s.manifests import ROOT, groups, only, render
from wraner.packs import Domain, EntityType
from wraner.registry import Kind, PackStore
from wraner.weights import BaseModel

TEXT, IGNORE = RECIPE.read_text(), IGNORED.read_text()
PACK = """kind: domain
description: Notes from an allotment.
entity_types:
  - name: plant
    definition: A plant, by its common or Latin name.
"""
EXAMPLE = '{"text": "Sow the carrots.", "entities": [{"start": 8, "end": 15, "label": "plant"}]}\n'


def test_the_recipe_is_sound() -> None:
    assert recipe_complaints(TEXT, IGNORE) == []


@pytest.mark.parametrize(
    ("was", "becomes", "expected"),
    [
        ("python:3.11-slim-bookworm\n", "python\n", "base image"),
        ("python:3.11-slim-bookworm\n", "python:latest\n", "base image"),
        ("COPY packs packs", "COPY pack packs", "not there: pack"),
        ("COPY packs packs", "COPY tests tests", "keeps out: tests"),
        ("USER 1000:1000", "USER 0:0", "last USER"),
        ("USER 1000:1000", "USER wraner", "last USER"),
        ("USER 1000:1000\n", "USER 1000:1000\nUSER root\n", "last USER"),
        ("--constraint constraints.txt torch", "torch", "whatever versions there are"),
        ("setuptools==84.2.1", "setuptools", "whatever version there is of setuptools"),
    ],
)
def test_an_unsound_recipe_is_caught(was: str, becomes: str, expected: str) -> None:
    assert was in TEXT
    (complaint,) = recipe_complaints(TEXT.replace(was, becomes), IGNORE)
    assert expected in complaint


@pytest.mark.parametrize("path", ["wraner/weights.py", "packs/hate-speech", "weights.txt"])
def test_what_the_image_needs_is_not_ignored(path: str) -> None:
    assert not is_ignored(path, IGNORE)


@pytest.mark.parametrize("path", [".git/config", "state/packs", "wraner/__pycache__/a.pyc"])
def test_everything_else_is_ignored(path: str) -> None:
    assert is_ignored(path, IGNORE)


def test_every_package_is_held_to_one_version(tmp_path: Path) -> None:
    constraints = (ROOT / "constraints.txt").read_text()
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).symlink_to(ROOT / name)
    requirements = _run(["-c", program(TEXT, "tomllib")], tmp_path)
    assert "ray[serve,train]" in requirements and "faiss-cpu" in requirements
    assert unpinned(requirements, constraints) == []
    assert unpinned((ROOT / "weights.txt").read_text(), constraints) == []
    assert unpinned("torch\nleft-pad\n", constraints) == ["left-pad"]


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image's /app."""
    return lay_out(TEXT, IGNORE, tmp_path_factory.mktemp("image"))


def test_the_image_has_the_application_on_its_path(laid_out: Path) -> None:
    assert variables(TEXT)["PYTHONPATH"] == f"/{laid_out.name}" == "/app"
    _run(["-c", "from services.app import AppArgs, build; build(AppArgs())"], laid_out)
    with pytest.raises(subprocess.CalledProcessError):
        _run(["-c", "import services.absent"], laid_out)


def test_the_conversion_needs_no_more_code_than_is_there_by_then(tmp_path: Path) -> None:
    """It is run up to the conversion itself, which takes long and has tests of its own."""
    before, _ = TEXT.split("COPY wraner wraner")
    work = lay_out(before, IGNORE, tmp_path)
    found = program(TEXT, "BUNDLED").replace("resolve(BUNDLED", "print(BUNDLED")
    assert "bundled /app/state/models" in _run(["-c", found.replace("say=print", "")], work)


def test_the_image_computes_as_a_service_that_starts_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("HF_HUB_OFFLINE", "GOMP_SPINCOUNT", "ONEDNN_PRIMITIVE_CACHE_CAPACITY")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    set_environment(Settings())
    assert {name: os.environ.pop(name) for name in names}.items() <= variables(TEXT).items()


def test_volumes_leave_the_converted_weights_visible() -> None:
    state = variables(TEXT)["WRANER_STATE_DIR"]
    assert f"{state}/models" in program(TEXT, "BUNDLED")
    paths = {m["mountPath"] for m in _worker_mounts() if m["name"] == "state"}
    assert paths == {f"{state}/{name}" for name in ("packs", "index", "adapters")}


@pytest.mark.model
def test_the_job_stores_and_indexes_packs(
    laid_out: Path, bundled_base: BaseModel, tmp_path: Path
) -> None:
    state, shipped = tmp_path / "state", tmp_path / "shipped" / "garden"
    for folder in (state, shipped):
        folder.mkdir(parents=True)
    (state / "models").symlink_to(bundled_base.path.parent)
    (shipped / "pack.yaml").write_text(PACK)
    (shipped / "examples.jsonl").write_text(EXAMPLE)
    types = (EntityType(name="city", definition="a city"),)
    stored = Domain(description="cities", entity_types=types, examples=())
    PackStore(state / "packs").publish("cities", stored, expected=None)
    job = only(render("jobs"), "RayJob")
    interpreter, *arguments = shlex.split(job["spec"]["entrypoint"])
    assert interpreter == "python"
    folders = {"WRANER_STATE_DIR": str(state), "WRANER_PACKS_DIR": str(shipped.parent)}
    said = _run(arguments, laid_out, **folders)
    assert "importing the pack garden" in said and "indexing cities" in said
    assert PackStore(state / "packs").names(Kind.DOMAIN) == ["cities", "garden"]
    assert len(list((state / "index" / "generations").iterdir())) == 2
    assert _run(arguments, laid_out, **folders) == ""  # nothing is left to do


def _worker_mounts() -> list[dict[str, str]]:
    (_, worker) = groups(only(render("overlays/cpu"), "RayService"))
    mounts: list[dict[str, str]] = worker.container["volumeMounts"]
    return mounts


def _run(arguments: Sequence[str], folder: Path, **variables: str) -> str:
    """Run Python in a folder as a pod would, with nothing of this checkout on its path."""
    environment = {**os.environ, **variables, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-W", "ignore", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout
