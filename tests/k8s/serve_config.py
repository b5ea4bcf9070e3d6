"""What a RayService serves: its serveConfigV2 held against Ray, the application and the pods.

Ray drops unknown keys without a word; here they are complaints.
"""

import math
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from types import UnionType
from typing import Any, Union, get_args, get_origin
from unittest import mock

import yaml
from pydantic import BaseModel, ValidationError

from services.settings import Limits, Settings
from tests.k8s.manifests import Document, Group, groups

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own, while it is imported
    from ray import serve
    from ray.serve.schema import ServeDeploySchema

    from services.app import AppArgs, build

PREFIX = "WRANER_"
DRAIN = "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"
_UNITS = {"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


@dataclass(frozen=True)
class Part:
    """A deployment as it would run: what the code says, and over it what the file says."""

    name: str
    replicas: int
    per_node: int | None
    cpus: float
    gpus: float
    memory_bytes: float


@dataclass
class Pod:
    """What Ray may still give away in one pod."""

    cpus: float
    gpus: float
    memory_bytes: float
    held: list[str]

    def take(self, part: Part) -> bool:
        """Place one replica, if there is room."""
        full = part.per_node is not None and self.held.count(part.name) >= part.per_node
        left = (
            self.cpus - part.cpus,
            self.gpus - part.gpus,
            self.memory_bytes - part.memory_bytes,
        )
        if full or min(left) < 0:
            return False
        self.cpus, self.gpus, self.memory_bytes = left
        self.held.append(part.name)
        return True


def config_of(service: Document) -> Document:
    """Return what stands in serveConfigV2."""
    config: Document = yaml.safe_load(service["spec"]["serveConfigV2"])
    return config


def config_complaints(config: Document) -> list[str]:
    """Hold a configuration against Ray's schemas and against the application."""
    complaints = list(_unknown_keys(config, ServeDeploySchema, "serveConfigV2"))
    try:
        ServeDeploySchema.model_validate(config)
    except ValidationError as error:
        return complaints + [f"{'/'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    for application in config["applications"]:
        complaints += _application_complaints(application)
    return complaints


def _unknown_keys(value: Any, kind: Any, where: str) -> Iterator[str]:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        models = [one for one in inner if isinstance(one, type) and issubclass(one, BaseModel)]
        if models:
            yield from _unknown_keys(value, models[0], where)
    elif origin is list and isinstance(value, list):
        for number, item in enumerate(value):
            yield from _unknown_keys(item, inner[0], f"{where}/{number}")
    elif isinstance(kind, type) and issubclass(kind, BaseModel) and isinstance(value, dict):
        for key, item in value.items():
            if key not in kind.model_fields:
                yield f"{where}: {kind.__name__} has no {key!r}"
            else:
                yield from _unknown_keys(item, kind.model_fields[key].annotation, f"{where}/{key}")


def _application_complaints(application: Document) -> list[str]:
    module, _, attribute = application["import_path"].partition(":")
    try:
        if getattr(import_module(module), attribute) is not build:
            return [f"import_path is another builder: {application['import_path']}"]
        args = AppArgs.model_validate(application.get("args", {}))
    except (ImportError, AttributeError) as error:
        return [f"import_path leads nowhere: {error}"]
    except ValidationError as error:
        return [f"args/{'/'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    there = set(_deployments(build(args)))
    named = {deployment["name"] for deployment in application["deployments"]}
    return [f"the application has no {name!r}" for name in sorted(named - there)] + [
        f"nothing is said of {name!r}" for name in sorted(there - named)
    ]


def _deployments(application: serve.Application) -> dict[str, serve.Deployment]:
    """Return an application's deployments, by name; Ray has no public way to them."""
    bound = application._bound_deployment
    found = {bound.name: bound}
    for argument in (*bound.init_args, *bound.init_kwargs.values()):
        if isinstance(argument, serve.Application):
            found |= _deployments(argument)
    return found


def parts(config: Document) -> list[Part]:
    """Return every deployment of a valid configuration as it would run."""
    (application,) = config["applications"]
    said = {deployment["name"]: deployment for deployment in application["deployments"]}
    bound = _deployments(build(AppArgs.model_validate(application.get("args", {}))))
    return [_part(name, bound[name], said.get(name, {})) for name in bound]


def _part(name: str, bound: serve.Deployment, said: Document) -> Part:
    actor = said.get("ray_actor_options", bound.ray_actor_options) or {}  # one or the other whole
    return Part(
        name=name,
        replicas=said.get("num_replicas", bound.num_replicas),
        per_node=said.get("max_replicas_per_node"),
        cpus=actor.get("num_cpus", 1),
        gpus=actor.get("num_gpus", 0),
        memory_bytes=actor.get("memory", 0),
    )


def quantity(written: str | int) -> float:
    """Return a quantity of Kubernetes as a number."""
    match = re.fullmatch(r"([0-9.]+)([a-zA-Z]*)", str(written))
    assert match, written
    return float(match[1]) * _UNITS[match[2]]


def _pods(group: Group) -> list[Pod]:
    """Return a group's pods with what KubeRay tells Ray of them."""
    limits, given = group.container["resources"]["limits"], group.spec["rayStartParams"]
    cpus = float(given.get("num-cpus", math.ceil(quantity(limits["cpu"]))))
    gpus = float(given.get("num-gpus", quantity(limits.get("nvidia.com/gpu", 0))))
    memory = float(given.get("memory", quantity(limits["memory"])))
    return [Pod(cpus, gpus, memory, []) for _ in range(group.replicas)]


def placement_complaints(service: Document) -> list[str]:
    """Return the replicas for which no pod has room, the large ones placed first."""
    pods = [pod for group in groups(service) for pod in _pods(group)]
    ordered = sorted(parts(config_of(service)), key=lambda p: -p.cpus)
    complaints = [
        f"{part.name} reserves no core, so it may land on the head, which has no volume"
        for part in ordered
        if not part.cpus
    ]
    for part in ordered:
        for number in range(part.replicas):
            if not any(pod.take(part) for pod in pods):
                complaints.append(f"no pod has room for {part.name} {number + 1}: {part}")
    return complaints


def settings_complaints(service: Document, variables: dict[str, str]) -> list[str]:
    """Hold the settings against those there are, what is reserved, and how long pods may stop."""
    own = {f"{PREFIX}{name.upper()}" for m in (Settings, Limits) for name in m.model_fields}
    given = {name for name in variables if name.startswith(PREFIX)}
    unknown = [f"there is no setting {name}" for name in sorted(given - own)]
    try:
        with mock.patch.dict(os.environ, variables):
            settings = Settings()
    except ValidationError as error:
        return unknown + [f"{e['loc'][0]}: {e['msg']}" for e in error.errors()]
    return unknown + list(_disagreements(service, settings, variables))


def _disagreements(
    service: Document, settings: Settings, variables: dict[str, str]
) -> Iterator[str]:
    cpus = {part.name: part.cpus for part in parts(config_of(service))}
    if settings.engine_threads != cpus["Engine"]:
        yield "WRANER_ENGINE_THREADS is not what an engine reserves"
    if settings.retriever_threads != cpus["Retriever"]:
        yield "WRANER_RETRIEVER_THREADS is not what a retriever reserves"
    drain_s = float(variables.get(DRAIN, 30))
    if settings.shutdown_s > drain_s:
        yield f"Ray stops before WRANER_SHUTDOWN_S has passed: after {drain_s} s"
    if drain_s >= min(group.pod["terminationGracePeriodSeconds"] for group in groups(service)):
        yield f"pods are killed before Ray has waited for {drain_s} s"
