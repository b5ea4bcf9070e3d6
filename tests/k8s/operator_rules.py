"""Rules that KubeRay, a restricted namespace or prudence sets, and that no schema states."""

import re
from collections.abc import Iterator
from typing import Any

from tests.k8s.manifests import Document, Group, cluster, groups

LONGEST_NAME = 47  # KubeRay appends to it and the sum must be a label of DNS
SHORTEST_GRACE_S = 90
AUTH_SINCE = (2, 52)
_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
_RESOURCE_PARAMETERS = ("num-cpus", "num-gpus", "memory", "resources")


def rule_complaints(document: Document) -> list[str]:
    """Return which rules a RayService or a RayJob breaks."""
    complaints = [*_whole(document), *_versions(document)]
    for group in groups(document):
        broken = [
            *_size(group),
            *_lifecycle(group),
            *_environment(group),
            *_security(group),
            *_resources(group),
        ]
        complaints += [f"{group.name}: {complaint}" for complaint in broken]
    return complaints


def _whole(document: Document) -> Iterator[str]:
    spec, name = document["spec"], document["metadata"]["name"]
    head = groups(document)[0].spec["template"].get("metadata", {}).get("labels", {})
    if document["kind"] == "RayService" and "app.kubernetes.io/name" in head:
        yield "head: a label of its own hides it from the service that KubeRay makes for it"
    if len(name) > LONGEST_NAME:
        yield f"the name has more than {LONGEST_NAME} characters: {name}"
    for dead in ("serviceUnhealthySecondThreshold", "deploymentUnhealthySecondThreshold"):
        if dead in spec:
            yield f"{dead} has no effect any more"
    if document["kind"] == "RayJob":
        if not spec.get("shutdownAfterJobFinishes"):
            yield "its pods stay: shutdownAfterJobFinishes is not true"
        if "deletionStrategy" in spec and spec.get("shutdownAfterJobFinishes"):
            yield "deletionStrategy and shutdownAfterJobFinishes exclude each other"


def _versions(document: Document) -> Iterator[str]:
    spec = cluster(document)
    ray = spec["rayVersion"]
    for group in groups(document):
        if not group.container["image"].endswith(f"-ray{ray}"):
            yield f"{group.name}: the image is not one of Ray {ray}: {group.container['image']}"
    if spec.get("authOptions", {}).get("mode") != "token":
        yield "authOptions.mode is not token: whoever reaches port 8265 runs code"
    elif tuple(map(int, ray.split(".")[:2])) < AUTH_SINCE:
        yield f"Ray {ray} knows no tokens"


def _size(group: Group) -> Iterator[str]:
    if group.name == "head":
        return
    least, most = group.spec["minReplicas"], group.spec["maxReplicas"]
    if not least <= group.replicas <= most:
        yield f"replicas are not between {least} and {most}: {group.replicas}"
    told = group.spec["template"].get("metadata", {}).get("annotations", {}).get("workers")
    if told != str(group.replicas):  # KubeRay acts on no change of counts alone
        yield f"the annotation workers is not the number of replicas, {group.replicas}: {told}"


def _lifecycle(group: Group) -> Iterator[str]:
    if group.pod.get("terminationGracePeriodSeconds", 30) < SHORTEST_GRACE_S:
        yield f"terminationGracePeriodSeconds is below {SHORTEST_GRACE_S}"
    for field in ("command", "args", "lifecycle", *_PROBES):
        if field in group.container:
            yield f"{field} is KubeRay's to write"


def _environment(group: Group) -> Iterator[str]:
    if group.pod.get("enableServiceLinks") is not False:
        yield "a Service named wraner sets WRANER_PORT: enableServiceLinks is not false"


def _security(group: Group) -> Iterator[str]:
    pod: dict[str, Any] = group.pod.get("securityContext", {})
    if pod.get("runAsNonRoot") is not True or not pod.get("runAsUser"):
        yield "runs as root"
    if pod.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "has no seccomp profile"
    for container in [*group.pod["containers"], *group.pod.get("initContainers", [])]:
        context = container.get("securityContext", {})
        if context.get("allowPrivilegeEscalation") is not False:
            yield f"{container['name']} may escalate its privileges"
        if context.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{container['name']} keeps capabilities"


def _resources(group: Group) -> Iterator[str]:
    resources = group.container["resources"]
    if resources.get("requests") != resources.get("limits"):
        yield "requests differ from limits"
    if "resources" in group.spec and set(_RESOURCE_PARAMETERS) & set(group.spec["rayStartParams"]):
        yield "resources stand both in rayStartParams and beside it"


def agreement_complaints(document: Document, constraints: str, project: str) -> list[str]:
    """Return where the image's tag and rayVersion differ from what is pinned.

    Between both versions a tag may name the build.
    """
    (ray,) = re.findall(r"^ray==(\S+)$", constraints, re.MULTILINE)
    (asked,) = re.findall(r'^    "ray\[serve,train\]==([^"]+)"', project, re.MULTILINE)
    (own,) = re.findall(r'^version = "([^"]+)"$', project, re.MULTILINE)
    found = {
        "rayVersion": (cluster(document)["rayVersion"], ray),
        "pyproject.toml": (asked, ray),
    }
    complaints = [
        f"{name}: expected {want}, was: {was}" for name, (was, want) in found.items() if was != want
    ]
    for group in groups(document):
        tag = group.container["image"].rsplit(":")[-1]
        if re.fullmatch(rf"{re.escape(own)}(-[\w.]+)?-ray{re.escape(ray)}", tag) is None:
            complaints.append(f"tag of {group.name}: expected {own}[-BUILD]-ray{ray}, was: {tag}")
    return complaints
