"""What a process works out once for all its tests, though each application would do it anew.

Nothing here changes what is worked out: models are read again when they changed or another backend
asks, templates whenever they are not those of the package.
"""

from functools import cache
from pathlib import Path

import pytest
from tortoise.apps import Apps
from tortoise.models import Model

from loyalty_graph.config import bundled
from loyalty_graph.wallet.templates import TEMPLATES, Template, load_template


def finish_models_once(patch: pytest.MonkeyPatch) -> None:
    """Let Tortoise build filters and queries of a model at the first opening of a database only."""
    build = Apps._build_initial_querysets
    finished: dict[type[Model], tuple[object, ...]] = {}

    def build_what_is_new(apps: Apps) -> None:
        models = [model for app in apps.apps.values() for model in app.values()]
        wanted = {model: _depends_on(model) for model in models}
        if not wanted.items() <= finished.items():
            build(apps)
            finished.update(wanted)

    patch.setattr(Apps, "_build_initial_querysets", build_what_is_new)


def _depends_on(model: type[Model]) -> tuple[object, ...]:
    meta = model._meta
    fields = tuple(meta.fields_map.items())
    return meta.db.executor_class, meta.db.query_class, meta.db_table, meta.schema, fields


def read_templates_once(patch: pytest.MonkeyPatch) -> None:
    """Read and check the package's card templates for the first application only."""
    packed = bundled(TEMPLATES)
    known = cache(load_template)

    def load(folder: Path) -> Template:
        return known(folder) if folder.parent == packed else load_template(folder)

    patch.setattr("loyalty_graph.wallet.desk.load_template", load)
