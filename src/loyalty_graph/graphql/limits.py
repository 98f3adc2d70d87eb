"""What a document may ask for: at most, and of whom; and the cache of documents read before."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    parse,
    specified_rules,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.schema import validate_document

from loyalty_graph.graphql.context import UNREAD, Asked
from loyalty_graph.graphql.needs import Needs, needs_of, refusals
from loyalty_graph.graphql.operations import asked_by

Known = TypeVar("Known")

TOKENS_MAX = 2_000
DEPTH_MAX = 15
ALIASES_MAX = 50
FIELDS_MAX = 1_000
# As it is, or escaped (GraphQL, section 2.9.4).
NUL_IN_DOCUMENT = re.compile(r"\x00|\\u0000|\\u\{0+\}")
NULL_CHARACTER = "Text cannot hold null characters."
SEVERAL_OPERATIONS = "The document has several operations; say which one with operationName."

CACHED_DOCUMENTS_MAX = 256
# A parsed document takes some 300 times its text; longer ones are read anew each time, so that
# nobody fills the memory with them.
CACHED_CHARACTERS_MAX = 8_000


class Weight(NamedTuple):
    """What a selection asks for, its fragments spread out."""

    depth: int = 0
    aliases: int = 0
    fields: int = 0


class Prepared(NamedTuple):
    """A document as read, what is wrong with it, and what its operations need and ask for."""

    document: DocumentNode
    errors: list[GraphQLError]
    needs: Needs = MappingProxyType({})
    asked: Mapping[str, Asked] = MappingProxyType({})


class DocumentGate(SchemaExtension):
    """Parses, weighs and validates a document, once for each text, and decides who may ask.

    One extension does it all. Strawberry's ValidationCache overwrites what an earlier extension
    found, and validating a huge document before it is weighed is the very work the limits refuse.
    """

    # Stands only when our parser ran out of stack and Strawberry's, a few frames higher, did not.
    _prepared = Prepared(DocumentNode(), [GraphQLError("The document is nested too deeply.")])

    def on_operation(self) -> Iterator[None]:
        """Bound the parser."""
        self.execution_context.parse_options["max_tokens"] = TOKENS_MAX
        yield

    def on_parse(self) -> Iterator[None]:
        """Read the document, or take it from the cache.

        An error is left to Strawberry, which reads the text again and reports it in its place: one
        raised here would escape the error handling of streams.
        """
        context = self.execution_context
        core_schema = context.schema._schema
        with suppress(GraphQLError):
            self._prepared = prepared(core_schema, context.query or "")
            context.graphql_document = self._prepared.document
        yield

    def on_validate(self) -> Iterator[None]:
        """Hand over what is wrong with the document, so that it is not looked for again."""
        context, errors = self.execution_context, self._prepared.errors
        # Strawberry keeps no other trace of it.
        named = context._provided_operation_name is not None
        needs = self._prepared.needs
        if len(needs) > 1 and not named and not errors:
            # GraphQL, section 6.1: GetOperation raises a request error. Strawberry runs the first.
            errors = [GraphQLError(SEVERAL_OPERATIONS)]
        errors = errors or unfit(context.query or "", context.variables or {})
        if not errors:
            name = context._provided_operation_name or ""
            asked = self._prepared.asked
            context.context.asked = asked.get(name) or sole(asked) or UNREAD
            errors = refusals(needs.get(name) or sole(needs) or (), context.context.viewer)
        context.pre_execution_errors = errors
        yield


def sole(of_operations: Mapping[str, Known]) -> Known | None:
    """Return what is known of the only operation; which one of several is said elsewhere."""
    return next(iter(of_operations.values())) if len(of_operations) == 1 else None


def unfit(query: str, variables: Mapping[str, object]) -> list[GraphQLError]:
    """Return what is wrong with the texts of a request: U+0000, which PostgreSQL cannot store.

    Variables nested beyond what JSON is written with here (254 levels) are refused too.
    """
    try:
        written = orjson.dumps(variables)
    except orjson.JSONEncodeError:
        return [GraphQLError("The variables are nested too deeply.")]
    found = NUL_IN_DOCUMENT.search(query) or b"\\u0000" in written
    return [GraphQLError(NULL_CHARACTER)] if found else []


def prepared(schema: GraphQLSchema, text: str) -> Prepared:
    """Return a document with its errors, from the cache unless it is long.

    Raises:
        GraphQLError: it cannot be parsed.
    """
    prepare = _prepare if len(text) > CACHED_CHARACTERS_MAX else _prepare_cached
    return prepare(schema, text)


def _prepare(schema: GraphQLSchema, text: str) -> Prepared:
    document = parse(text, max_tokens=TOKENS_MAX)
    errors = over_limits(document) or validate_document(schema, document, specified_rules)
    if errors:
        return Prepared(document, errors)
    return Prepared(document, errors, needs_of(schema, document), asked_by(document))


_prepare_cached = lru_cache(CACHED_DOCUMENTS_MAX)(_prepare)


def over_limits(document: DocumentNode) -> list[GraphQLError]:
    """Return one error for each limit that one of the operations breaks.

    Introspection fields count like others, except that their depth is left to the rule of
    graphql-core that bounds it.
    """
    weigher = _Weigher(document)
    errors = []
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            weight = weigher.weigh(definition.selection_set)
            limits = Weight(DEPTH_MAX, ALIASES_MAX, FIELDS_MAX)
            errors += [
                GraphQLError(f"The operation has {asked} {what}; at most {most} are allowed.")
                for what, asked, most in zip(
                    ("levels", "aliases", "fields"), weight, limits, strict=True
                )
                if asked > most
            ]
    return errors


class _Weigher:
    """Weighs selections; a fragment is weighed once, however often it is spread."""

    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._weights: dict[str, Weight] = {}

    def weigh(self, selections: SelectionSetNode | None) -> Weight:
        """Return the depth of the deepest, and the sums of aliases and fields."""
        depth = aliases = fields = 0
        for selection in selections.selections if selections else ():
            inner = self._weigh_selection(selection)
            depth = max(depth, inner.depth)
            aliases += inner.aliases
            fields += inner.fields
        return Weight(depth, aliases, fields)

    def _weigh_selection(self, selection: SelectionNode) -> Weight:
        if isinstance(selection, FragmentSpreadNode):
            return self._weigh_fragment(selection.name.value)
        if isinstance(selection, InlineFragmentNode):
            return self.weigh(selection.selection_set)
        assert isinstance(selection, FieldNode), "there are three kinds of selections"
        inner = self.weigh(selection.selection_set)
        introspects = selection.name.value.startswith("__")
        return Weight(
            depth=0 if introspects else inner.depth + 1,
            aliases=inner.aliases + (selection.alias is not None),
            fields=inner.fields + 1,
        )

    def _weigh_fragment(self, name: str) -> Weight:
        if name not in self._weights:
            # While it is being weighed it weighs nothing: validation refuses fragments in a circle.
            self._weights[name] = Weight()
            definition = self._fragments.get(name)
            self._weights[name] = self.weigh(definition.selection_set if definition else None)
        return self._weights[name]
