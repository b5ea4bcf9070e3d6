"""Manifests render, agree with their schemas and KubeRay's rules; each check is seen to fail."""

from typing import Any

import pytest
import yaml

from tests.k8s.manifests import ROOT, Document, changed, groups, only, render, schema_complaints
from tests.k8s.operator_rules import agreement_complaints, rule_complaints

OVERLAYS = ["base", "overlays/cpu", "jobs"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text()
PROJECT = (ROOT / "pyproject.toml").read_text()
HEAD = "spec/rayClusterConfig/headGroupSpec"
WORKER = "spec/rayClusterConfig/workerGroupSpecs/0"
CONTAINER = "template/spec/containers/0"


def kinds(folder: str) -> list[str]:
    return sorted(document["kind"] for document in render(folder))


def service() -> Document:
    return only(render("overlays/cpu"), "RayService")


def job() -> Document:
    return only(render("jobs"), "RayJob")


def test_each_folder_renders_what_it_should() -> None:
    assert kinds("base") == ["ConfigMap", "PersistentVolumeClaim", "RayService"]
    assert kinds("overlays/cpu") == kinds("base")
    assert kinds("jobs") == ["ConfigMap", "RayJob"]


@pytest.mark.parametrize("folder", OVERLAYS)
def test_documents_agree_with_their_schemas(folder: str) -> None:
    assert [schema_complaints(document) for document in render(folder)] == [[]] * len(kinds(folder))


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (f"{WORKER}/minReplica", 1, "minReplica"),
        (f"{WORKER}/replicas", "two", "'two' is not of type 'integer'"),
        (f"{WORKER}/template/spec/terminationGracePeriod", 90, "terminationGracePeriod"),
        (f"{WORKER}/{CONTAINER}/resources/limits/cpu", "four cores", "four cores"),
        (f"{WORKER}/{CONTAINER}/securityContext/privilegeEscalation", False, "privilegeEscalation"),
        (f"{WORKER}/rayStartParams/num-cpus", 4, "4 is not of type 'string'"),
        (f"{HEAD}/template", None, "'template' is a required property"),
        ("spec/upgradeStrategy/types", "NewCluster", "types"),
    ],
)
def test_a_wrong_ray_service_is_caught(path: str, value: Any, expected: str) -> None:
    (complaint, *_) = schema_complaints(changed(service(), path, value))
    assert expected in complaint


def test_a_quantity_may_be_a_number_or_a_string() -> None:
    for value in (4, "4", "4000m"):
        path = f"{WORKER}/{CONTAINER}/resources/limits/cpu"
        assert schema_complaints(changed(service(), path, value)) == []


@pytest.mark.parametrize(
    ("kind", "path", "value", "expected"),
    [
        ("PersistentVolumeClaim", "spec/accessMode", ["ReadWriteMany"], "accessMode"),
        ("PersistentVolumeClaim", "spec/resources/requests", 10, "10"),
        ("ConfigMap", "data/WRANER_ENGINE_THREADS", 4, "4"),
    ],
)
def test_a_wrong_built_in_kind_is_caught(kind: str, path: str, value: Any, expected: str) -> None:
    document = only(render("overlays/cpu"), kind)
    (complaint,) = schema_complaints(changed(document, path, value))
    assert expected in complaint


def test_the_service_and_the_job_keep_the_rules() -> None:
    assert rule_complaints(service()) == []
    assert rule_complaints(job()) == []


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("metadata/name", "wraner-" + 41 * "x", "more than 47"),
        ("spec/serviceUnhealthySecondThreshold", 900, "no effect"),
        ("spec/rayClusterConfig/rayVersion", "2.59.0", "not one of Ray 2.59.0"),
        ("spec/rayClusterConfig/authOptions", None, "not token"),
        (f"{WORKER}/minReplicas", 3, "not between 3 and 2"),
        (f"{WORKER}/replicas", 1, "workers is not the number of replicas, 1: 2"),
        (f"{WORKER}/template/metadata/annotations", None, "workers is not the number"),
        (f"{HEAD}/template/metadata", {"labels": {"app.kubernetes.io/name": "wraner"}}, "hides it"),
        (f"{WORKER}/template/spec/terminationGracePeriodSeconds", 60, "below 90"),
        (f"{HEAD}/template/spec/enableServiceLinks", None, "sets WRANER_PORT"),
        (f"{WORKER}/template/spec/enableServiceLinks", True, "sets WRANER_PORT"),
        (f"{HEAD}/{CONTAINER}/livenessProbe", {}, "KubeRay's to write"),
        (f"{HEAD}/{CONTAINER}/lifecycle", {}, "KubeRay's to write"),
        (f"{HEAD}/template/spec/securityContext/runAsUser", 0, "runs as root"),
        (f"{HEAD}/template/spec/securityContext/seccompProfile", None, "seccomp"),
        (f"{WORKER}/{CONTAINER}/securityContext", None, "may escalate"),
        (f"{WORKER}/{CONTAINER}/securityContext/capabilities/drop", [], "keeps capabilities"),
        (f"{WORKER}/{CONTAINER}/resources/requests/cpu", "1", "requests differ"),
    ],
)
def test_a_broken_rule_is_caught(path: str, value: Any, expected: str) -> None:
    assert any(
        expected in complaint for complaint in rule_complaints(changed(service(), path, value))
    )


def test_resources_in_two_places_are_caught() -> None:
    once = changed(service(), f"{HEAD}/resources", {"CPU": "0"})
    assert rule_complaints(once) == ["head: resources stand both in rayStartParams and beside it"]


def test_an_old_ray_without_tokens_is_caught() -> None:
    (complaint,) = (
        c
        for c in rule_complaints(changed(service(), "spec/rayClusterConfig/rayVersion", "2.51.0"))
        if "tokens" in c
    )
    assert complaint == "Ray 2.51.0 knows no tokens"


def test_a_job_that_never_ends_is_caught() -> None:
    endless = changed(job(), "spec/shutdownAfterJobFinishes", None)
    assert rule_complaints(endless) == ["its pods stay: shutdownAfterJobFinishes is not true"]
    both = changed(job(), "spec/deletionStrategy", {"deletionRules": []})
    assert rule_complaints(both) == [
        "deletionStrategy and shutdownAfterJobFinishes exclude each other"
    ]


def test_versions_agree() -> None:
    for document in (service(), job()):
        assert agreement_complaints(document, CONSTRAINTS, PROJECT) == []
    pods = (*groups(service()), *groups(job()))
    assert len({group.container["image"] for group in pods}) == 1


def test_each_build_may_have_a_tag_of_its_own() -> None:
    def with_tag(tag: str) -> Document:
        return changed(service(), f"{HEAD}/{CONTAINER}/image", f"registry.example:5000/w:{tag}")

    version, ray = groups(service())[0].container["image"].rsplit(":")[-1].split("-ray")
    assert agreement_complaints(with_tag(f"{version}-2-ray{ray}"), CONSTRAINTS, PROJECT) == []
    for other in (f"{version}.1-ray{ray}", f"{version}-2-ray9", f"{version}--ray{ray}"):
        (complaint,) = agreement_complaints(with_tag(other), CONSTRAINTS, PROJECT)
        assert complaint.startswith("tag of head: expected")


@pytest.mark.parametrize("name", ["ray", "version"])
def test_a_version_that_moved_alone_is_caught(name: str) -> None:
    constraints = CONSTRAINTS.replace("\nray==", "\nray==9") if name == "ray" else CONSTRAINTS
    project = PROJECT.replace('\nversion = "', '\nversion = "9') if name == "version" else PROJECT
    assert agreement_complaints(service(), constraints, project) != []


@pytest.mark.parametrize("folder", OVERLAYS)
def test_every_pod_gets_the_settings_under_the_name_they_have(folder: str) -> None:
    documents = render(folder)
    name = only(documents, "ConfigMap")["metadata"]["name"]
    assert name.startswith("wraner-settings-")
    (ray,) = (document for document in documents if document["apiVersion"] == "ray.io/v1")
    for group in groups(ray):
        assert group.container["envFrom"] == [{"configMapRef": {"name": name}}]


def test_the_job_fills_the_volume_that_the_service_reads() -> None:
    claim = only(render("base"), "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    mounts = []
    for group in (*groups(service())[1:], *groups(job())):
        (volume,) = (v for v in group.pod["volumes"] if v["name"] == "state")
        assert volume["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
        own = [m for m in group.container["volumeMounts"] if m["name"] == "state"]
        mounts.append({m["mountPath"]: m["subPath"] for m in own})
    assert mounts[1].items() <= mounts[0].items()


@pytest.mark.parametrize("folder", ["base", "overlays/cpu"])
def test_logs_lie_where_a_second_container_can_read_them(folder: str) -> None:
    served = only(render(folder), "RayService")
    for group in groups(served):
        (volume,) = (v for v in group.pod["volumes"] if "emptyDir" in v)
        assert {"name": volume["name"], "mountPath": "/tmp/ray"} in group.container["volumeMounts"]
    config = yaml.safe_load(served["spec"]["serveConfigV2"])
    assert config["logging_config"] == {"enable_access_log": False}, "the gateways log requests"


def test_the_claim_stands_in_a_file_of_its_own() -> None:
    """It is applied before the job, which comes before the service."""
    claim = yaml.safe_load((ROOT / "k8s" / "base" / "volume.yaml").read_text())
    assert claim == only(render("base"), "PersistentVolumeClaim")
