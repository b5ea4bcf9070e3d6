"""The image's recipe: k8s/Dockerfile read line by line, and the folder that its COPY lines make.

Nothing is built. Knows as much of the Dockerfile's language as ours uses.
"""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from tests.k8s.manifests import ROOT

RECIPE = ROOT / "k8s" / "Dockerfile"
IGNORED = ROOT / ".dockerignore"


@dataclass(frozen=True)
class Instruction:
    """One instruction: `COPY`, and what stands behind it."""

    verb: str
    rest: str


def instructions(recipe: str) -> list[Instruction]:
    """Return the instructions, each on one line, without comments."""
    lines = "\n".join(line for line in recipe.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", lines)
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def variables(recipe: str) -> dict[str, str]:
    """Return what ENV sets."""
    said = " ".join(i.rest for i in instructions(recipe) if i.verb == "ENV")
    return dict(re.findall(r"(\S+?)=(\S+)", said))


def is_ignored(path: str, ignored: str) -> bool:
    """Return whether .dockerignore keeps a path out; the last line that matches decides."""
    out = False
    for line in ignored.splitlines():
        pattern = line.removeprefix("!")
        if not pattern or line.startswith("#"):
            continue
        steps = path.split("/")
        ways = ["/".join(steps[:end]) for end in range(1, len(steps) + 1)]
        if pattern.startswith("**/"):
            ways, pattern = steps, pattern.removeprefix("**/")
        if any(fnmatch(way, pattern) for way in ways):
            out = not line.startswith("!")
    return out


def recipe_complaints(recipe: str, ignored: str) -> list[str]:
    """Return what is wrong with a recipe."""
    return [*_base(recipe), *_copies(recipe, ignored), *_user(recipe), *_installs(recipe)]


def _base(recipe: str) -> Iterator[str]:
    for image in (i.rest for i in instructions(recipe) if i.verb == "FROM"):
        if not re.search(r":(?!latest)[\w.-]*\d", image):
            yield f"the base image is not pinned: {image}"


def _copies(recipe: str, ignored: str) -> Iterator[str]:
    for copy in (i.rest for i in instructions(recipe) if i.verb == "COPY"):
        for source in copy.split()[:-1]:
            if not (ROOT / source).exists():
                yield f"COPY of what is not there: {source}"
            elif is_ignored(source, ignored):
                yield f"COPY of what .dockerignore keeps out: {source}"


def _user(recipe: str) -> Iterator[str]:
    users = [i.rest for i in instructions(recipe) if i.verb == "USER"]
    if not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]):
        yield f"the last USER is not a number other than 0: {users[-1:]}"


def _installs(recipe: str) -> Iterator[str]:
    constraints = (ROOT / "constraints.txt").read_text()
    steps = [i.rest for i in instructions(recipe) if i.verb == "RUN"]
    for step in (part for rest in steps for part in rest.split("&&") if "pip install" in part):
        if not re.search(r"--constraint constraints\.txt|--requirement weights\.txt", step):
            yield f"installs whatever versions there are: {step.strip()}"
        with_values = r"--(?:constraint|requirement|index-url) \S+"
        words = re.sub(with_values, "", step.split("pip install")[1]).split()
        named = "\n".join(word for word in words if not word.startswith("--"))
        for name in unpinned(named, constraints):
            yield f"installs whatever version there is of {name}"


def lay_out(recipe: str, ignored: str, root: Path) -> Path:
    """Copy what COPY lines copy to where they put it below `root`; return the WORKDIR there."""
    work = root
    for instruction in instructions(recipe):
        if instruction.verb == "WORKDIR":
            work = root / instruction.rest.lstrip("/")
        elif instruction.verb == "COPY":
            *sources, target = instruction.rest.split()
            for source in sources:
                _copy(source, work / target, into=target.endswith("/"), ignored=ignored)
    return work


def _copy(source: str, target: Path, *, into: bool, ignored: str) -> None:
    for file in [ROOT / source, *(ROOT / source).rglob("*")]:
        if not file.is_file() or is_ignored(str(file.relative_to(ROOT)), ignored):
            continue
        inner = file.relative_to(ROOT / source)
        place = target / (Path(source).name if into else "") / inner
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)


def unpinned(requirements: str, constraints: str) -> list[str]:
    """Return the requirements that are not held to one version, by themselves or a constraint."""
    held = {line.split("==")[0].lower() for line in constraints.splitlines() if "==" in line}
    names = [line.split("#")[0].strip() for line in requirements.splitlines()]
    return [
        name
        for name in names
        if name and "==" not in name and name.split("[")[0].lower() not in held
    ]


def program(recipe: str, marker: str) -> str:
    """Return the Python program of the RUN line whose program contains `marker`."""
    (found,) = (
        written
        for instruction in instructions(recipe)
        for written in re.findall(r'python -c "([^"]+)"', instruction.rest)
        if marker in written
    )
    return str(found)
