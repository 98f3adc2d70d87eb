"""The tables of `identity` are part of every test database."""

from loyalty_graph.db import opening

if "loyalty_graph.identity.models" not in opening.MODEL_MODULES:
    opening.MODEL_MODULES.append("loyalty_graph.identity.models")
