"""Manifests as a cluster would get them: rendered, cut into views, held against schemas.

Checks return complaints, an empty list where there is nothing to complain about. Knows no API
server: what needs one (admission, CEL rules) is not checked.
"""

import copy
import gzip
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[2]
KUBERNETES = "1.32"  # whose schemas the built-in kinds are held against
Document = dict[str, Any]

_CRDS = Path(os.environ.get("WRANER_K8S_CRDS", ROOT.parent / "shared" / "k8s-crds"))
_CLUSTER_FIELD = {"RayService": "rayClusterConfig", "RayJob": "rayClusterSpec"}


@dataclass(frozen=True)
class Group:
    """Pods of one kind of a Ray cluster; `replicas` of them."""

    name: str
    replicas: int
    spec: Document

    @property
    def pod(self) -> Document:
        """The pods' own spec."""
        pod: Document = self.spec["template"]["spec"]
        return pod

    @property
    def container(self) -> Document:
        """The container that runs Ray, always the first."""
        container: Document = self.pod["containers"][0]
        return container


@cache
def _rendered(folder: str) -> str:
    command = ["kubectl", "kustomize", str(ROOT / "k8s" / folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def render(folder: str) -> list[Document]:
    """Return what `kubectl apply -k k8s/<folder>` would send."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    return list(yaml.safe_load_all(_rendered(folder)))


def only(documents: list[Document], kind: str) -> Document:
    """Return the one document of a kind."""
    (found,) = (document for document in documents if document["kind"] == kind)
    return found


def changed(document: Document, path: str, value: Any) -> Document:
    """Return a copy in which what lies at a path (`a/0/b`) has another value; None removes it."""
    copied = copy.deepcopy(document)
    *steps, last = (int(step) if step.isdigit() else step for step in path.split("/"))
    place: Any = copied
    for step in steps:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return copied


def cluster(document: Document) -> Document:
    """Return the spec of the Ray cluster that a RayService or RayJob starts."""
    spec: Document = document["spec"][_CLUSTER_FIELD[document["kind"]]]
    return spec


def groups(document: Document) -> list[Group]:
    """Return the head, then each group of workers."""
    spec = cluster(document)
    workers = spec.get("workerGroupSpecs", [])
    return [
        Group("head", 1, spec["headGroupSpec"]),
        *(Group(worker["groupName"], worker["replicas"], worker) for worker in workers),
    ]


def schema_complaints(document: Document) -> list[str]:
    """Hold a document against Kubernetes' schemas or KubeRay's, no unknown field allowed."""
    if not document["apiVersion"].startswith("ray.io/"):
        try:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
        except kubernetes_validate.ValidationError as error:
            return [f"{document['kind']}: {error.message}"]
        return []
    errors = Draft202012Validator(_schema(document)).iter_errors(document)
    return [f"{document['kind']}/{'/'.join(map(str, e.path))}: {e.message}" for e in errors]


def _schema(document: Document) -> Any:
    file = _CRDS / f"ray.io_{document['kind'].lower()}s.yaml.gz"
    if not file.is_file():
        pytest.skip(f"KubeRay's schemas are not in {_CRDS}; WRANER_K8S_CRDS names their folder")
    _, version = document["apiVersion"].split("/")
    return _strict_schema(file, version)


@cache
def _strict_schema(file: Path, version: str) -> Any:
    definition = yaml.load(gzip.decompress(file.read_bytes()), yaml.CSafeLoader)
    (served,) = (v for v in definition["spec"]["versions"] if v["name"] == version)
    return _strict(served["schema"]["openAPIV3Schema"])


def _strict(schema: Any) -> Any:
    """Forbid what is not described; an API server would drop it without a word."""
    if isinstance(schema, list):
        return [_strict(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(inner) for key, inner in schema.items()}
    if isinstance(schema.get("properties"), dict):
        strict["properties"] = {k: _strict(inner) for k, inner in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            strict.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string") and "anyOf" not in schema:
        strict["type"] = ["integer", "string"]
    return strict
