"""serveConfigV2 says what Ray and the application understand, and the pods have room for it."""

from typing import Any

import pytest
import yaml

from tests.k8s.manifests import Document, changed, only, render
from tests.k8s.serve_config import (
    DRAIN,
    config_complaints,
    config_of,
    parts,
    placement_complaints,
    quantity,
    settings_complaints,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own
APPLICATION = "applications/0"
GATEWAY, RETRIEVER, ENGINE, WRITER = (f"{APPLICATION}/deployments/{n}" for n in range(4))


def service(folder: str = "overlays/cpu") -> Document:
    return only(render(folder), "RayService")


def settings(folder: str = "overlays/cpu") -> dict[str, str]:
    data: dict[str, str] = only(render(folder), "ConfigMap")["data"]
    return data


def with_config(path: str, value: Any) -> Document:
    config = changed(config_of(service()), path, value)
    return changed(service(), "spec/serveConfigV2", yaml.safe_dump(config))


@pytest.mark.parametrize("folder", ["base", "overlays/cpu"])
def test_what_is_served_is_valid_placeable_and_agrees_with_the_settings(folder: str) -> None:
    assert config_complaints(config_of(service(folder))) == []
    assert placement_complaints(service(folder)) == []
    assert settings_complaints(service(folder), settings(folder)) == []


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("proxy_locations", "EveryNode", "ServeDeploySchema has no 'proxy_locations'"),
        ("proxy_location", "Everywhere", "proxy_location"),
        ("http_options/hosts", "0.0.0.0", "HTTPOptionsSchema has no 'hosts'"),
        (f"{APPLICATION}/route", "/", "ServeApplicationSchema has no 'route'"),
        (f"{ENGINE}/num_replica", 2, "DeploymentSchema has no 'num_replica'"),
        (f"{ENGINE}/ray_actor_options", {"num_cpu": 1}, "RayActorOptionsSchema has no 'num_cpu'"),
        (f"{ENGINE}/num_replicas", "many", "num_replicas"),
        (f"{ENGINE}/name", "Engin", "the application has no 'Engin'"),
        (WRITER, None, "nothing is said of 'Writer'"),
        (f"{APPLICATION}/import_path", "services.app:builds", "leads nowhere"),
        (f"{APPLICATION}/import_path", "services.application:build", "leads nowhere"),
        (f"{APPLICATION}/import_path", "services.app:wire", "another builder"),
        (f"{APPLICATION}/args/engine_cpu", 2, "args/engine_cpu: Extra inputs"),
        (f"{APPLICATION}/args/engine_cpus", "two", "args/engine_cpus"),
    ],
)
def test_a_wrong_configuration_is_caught(path: str, value: Any, expected: str) -> None:
    complaints = config_complaints(config_of(with_config(path, value)))
    assert any(expected in complaint for complaint in complaints), complaints


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (f"{ENGINE}/num_replicas", 3, "Engine 3"),
        (f"{APPLICATION}/args/engine_cpus", 8, "Engine 1"),
        (f"{APPLICATION}/args/engine_cpus", 5.75, "Writer 1"),
        (f"{RETRIEVER}/ray_actor_options", {"num_cpus": 8}, "Retriever 1"),
        (f"{ENGINE}/ray_actor_options", {"num_cpus": 1, "memory": 2**34}, "Engine 1"),
        (f"{ENGINE}/ray_actor_options", {"num_gpus": 1}, "Engine 1"),
        (f"{APPLICATION}/args/gateway_cpus", 0, "Gateway reserves no core"),
    ],
)
def test_replicas_without_room_are_caught(path: str, value: Any, expected: str) -> None:
    complaints = placement_complaints(with_config(path, value))
    assert any(expected in complaint for complaint in complaints), complaints


def test_fewer_or_smaller_workers_are_caught() -> None:
    group = "spec/rayClusterConfig/workerGroupSpecs/0"
    limits = f"{group}/template/spec/containers/0/resources/limits"
    assert placement_complaints(changed(service(), f"{group}/replicas", 1)) != []
    assert placement_complaints(changed(service(), f"{limits}/cpu", "5")) != []
    assert placement_complaints(changed(service(), f"{group}/rayStartParams/num-cpus", "5")) != []


def test_whatever_order_replicas_start_in_each_finds_room() -> None:
    """A worker that holds one of every kind has no order in which it fills up too early."""
    all_parts = parts(config_of(service()))
    assert all(part.per_node == 1 for part in all_parts if part.replicas > 1)
    limits = service()["spec"]["rayClusterConfig"]["workerGroupSpecs"][0]["template"]["spec"]
    cpus = quantity(limits["containers"][0]["resources"]["limits"]["cpu"])
    assert sum(part.cpus for part in all_parts) <= cpus


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("WRANER_ENGINE_THREAD", "4", "there is no setting WRANER_ENGINE_THREAD"),
        ("WRANER_ENGINE_THREADS", "four", "engine_threads"),
        ("WRANER_ENGINE_THREADS", "8", "WRANER_ENGINE_THREADS is not what"),
        ("WRANER_RETRIEVER_THREADS", "2", "WRANER_RETRIEVER_THREADS is not what"),
        ("WRANER_SHUTDOWN_S", "90", "Ray stops before WRANER_SHUTDOWN_S"),
        (DRAIN, "120", "pods are killed before"),
    ],
)
def test_wrong_settings_are_caught(name: str, value: str, expected: str) -> None:
    (complaint,) = settings_complaints(service(), {**settings(), name: value})
    assert expected in complaint


def test_quantities_are_read() -> None:
    written = {"2": 2, 2: 2, "500m": 0.5, "8Gi": 8 * 2**30, "1.5": 1.5, "1G": 1e9}
    assert {key: quantity(key) for key in written} == written
