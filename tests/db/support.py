"""Empty databases, and models made for one test, for the tests of how tables come to be."""

import importlib.util
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

from tortoise import Model, Tortoise
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.context import TortoiseContext

from loyalty_graph.db.opening import APP_LABEL
from loyalty_graph.db.urls import connection_config
from tests.conftest import BACKEND, named, run_on
from tests.db.steps import first_step

ROOT = Path(__file__).parents[2]
STOCK_ENGINES = {"sqlite": "tortoise.backends.sqlite", "postgres": "tortoise.backends.asyncpg"}
numbers = count(1)


@asynccontextmanager
async def empty_database(server: str, folder: Path) -> AsyncIterator[str]:
    """Yield the URL of a database without tables."""
    name = f"empty_{os.getpid()}_{next(numbers)}"
    if BACKEND == "sqlite":
        yield f"sqlite://{folder / name}.sqlite3?cache_mb=8"
        return
    await run_on(server, f"CREATE DATABASE {name}")
    yield named(server, name)
    await run_on(server, f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def opened(
    url: str, *models: type[Model], stock: bool = False
) -> AsyncIterator[BaseDBAsyncClient]:
    """Open the database with these models, with our backend or with Tortoise's own."""
    connection = connection_config(url)
    if stock:
        connection = _stock(connection)
    async with TortoiseContext() as context:
        with module_of(models or first_step()) as name:
            apps = {APP_LABEL: {"models": [name]}}
            await context.init(config={"connections": {"default": connection}, "apps": apps})
        yield context.connections.get("default")


def initialised(*models: type[Model]) -> tuple[type[Model], ...]:
    """Return the models with their relations, without a database."""
    with TortoiseContext(), module_of(models) as name:
        Tortoise.init_models([name], APP_LABEL)
    return models


@contextmanager
def module_of(models: tuple[type[Model], ...]) -> Iterator[str]:
    """Put the models into a module, since Tortoise takes modules by name; yield the name."""
    module = ModuleType("tests.db.models_of_one_test")
    for model in models:
        setattr(module, model.__name__, model)
    with patch.dict(sys.modules, {module.__name__: module}):
        yield module.__name__


def tool(name: str) -> ModuleType:
    """Return a program of `tools/` as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _stock(settings: dict[str, Any]) -> dict[str, Any]:
    engine = STOCK_ENGINES[BACKEND]
    ours = ("cache_mb", "readers", "pool_size", "command_timeout_s")
    credentials = {key: value for key, value in settings["credentials"].items() if key not in ours}
    return {"engine": engine, "credentials": credentials}
