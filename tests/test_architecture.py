"""The house keeps its shape: arrows between blocks lead one way, and only the door talks to the outside (docs/architecture.md)."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BLOCKS = ["flows.engine", "flows.nodes", "flows", "integrations", "routing", "chatflow"]
"""From the innermost to the outermost; a module belongs to the first that fits."""

PURE = {"annotated_types", "babel", "cryptography", "jsonschema", "jsonschema_specifications", "lark", "orjson"}
PURE |= {"pydantic", "pydantic_core", "re2", "referencing", "typing_extensions"}
"""What the engine and the nodes may use besides Python itself: no framework, no database, no network."""

OUTSIDE = {"aiohttp", "http.client", "httpx", "requests", "urllib.request", "urllib3"}
DOOR = {"integrations.http", "integrations.transport"}
NOT_PURE = OUTSIDE | {"multiprocessing", "socket", "sqlite3", "subprocess"}
LONGEST_MODULE = 400


def modules() -> list[Path]:
    folders = {block.partition(".")[0] for block in BLOCKS}
    found = (file for folder in sorted(folders) for file in (ROOT / folder).rglob("*.py"))
    return sorted(file for file in found if "migrations" not in file.parts)


def dotted(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def block(module: str) -> int | None:
    """Its place in BLOCKS; None for what isn't ours."""
    fits = (place for place, name in enumerate(BLOCKS) if module == name or module.startswith(f"{name}."))
    return next(fits, None)


@cache
def imports(file: Path) -> tuple[tuple[int, str], ...]:
    """Line and full name of everything that is imported, wherever in the file."""
    return tuple(_imports(ast.parse(file.read_text()), dotted(file).split(".")))


def _imports(tree: ast.Module, package: list[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: -node.level]) + "." if node.level else ""
            yield from ((node.lineno, f"{start}{node.module}.{name.name}") for name in node.names)


@pytest.mark.parametrize("file", modules(), ids=dotted)
def test_arrows_lead_inwards(file: Path) -> None:
    own = block(dotted(file))
    assert own is not None
    wrong = [f"line {line}: {name}" for line, name in imports(file) if (block(name) or 0) > own]
    assert wrong == [], f"{dotted(file)} is in {BLOCKS[own]} and must not import what lies further out"


@pytest.mark.parametrize("file", [file for file in modules() if (block(dotted(file)) or 0) < 2], ids=dotted)
def test_engine_and_nodes_are_pure(file: Path) -> None:
    foreign = [name for _, name in imports(file) if block(name) is None and not pure(name)]
    assert foreign == [], f"{dotted(file)} may use Python, {', '.join(sorted(PURE))}"


def pure(name: str) -> bool:
    first = name.partition(".")[0]
    return first in PURE or (first in sys.stdlib_module_names and not within(name, NOT_PURE))


def within(name: str, modules: set[str]) -> bool:
    """Whether it is one of these modules, or something in one."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


@pytest.mark.parametrize("file", modules(), ids=dotted)
def test_only_the_door_talks_to_the_outside(file: Path) -> None:
    used = [name for _, name in imports(file) if within(name, OUTSIDE)]
    assert used == [] or dotted(file) in DOOR, f"{dotted(file)} goes round integrations.http"


@pytest.mark.parametrize("file", modules(), ids=dotted)
def test_a_module_holds_one_concept(file: Path) -> None:
    lines = len(file.read_text().splitlines())
    assert lines <= LONGEST_MODULE, f"{dotted(file)} has {lines} lines: which part of it is a concept of its own?"
