"""Every rule of the schema finds what breaks it, and our schema breaks none."""

import pytest
from graphql import build_schema

from tools import lint_schema

HEAD = '''
"""Reads."""
type Query {
  """One."""
  cup(
    """Which."""
    id: ID!
  ): Cup
}

"""Does."""
type Mutation {
  """Fills."""
  fill(
    """What."""
    input: FillInput!
  ): FillPayload
}

"""What to fill."""
input FillInput {
  """Once."""
  idempotencyKey: String!
}

"""Done."""
type FillPayload {
  """Why not."""
  userErrors: [UserError!]!

  """Again."""
  replayed: Boolean!
}

"""No."""
type UserError {
  """Why."""
  message: String!
}

"""A cup."""
type Cup {
  """Its colours."""
  colours: [Colour!]!

  """When it was made."""
  madeAt: DateTime!
}

"""A colour."""
enum Colour {
  """Red."""
  DARK_RED
}

"""An instant."""
scalar DateTime
'''


def test_a_schema_that_keeps_the_rules_is_left_alone():
    assert lint_schema.breaches(build_schema(HEAD)) == []


@pytest.mark.parametrize(
    ("old", "new", "breach"),
    [
        ('"""A cup."""', "", "Cup: needs a description"),
        ('"""A cup."""', '"""A cup"""', "Cup: needs a description that ends"),
        ('"""Its colours."""', "", "Cup.colours: needs a description"),
        ('"""Which."""', "", "Query.cup(id): needs a description"),
        ('"""Once."""', "", "FillInput.idempotencyKey: needs a description"),
        ('"""Red."""', "", "Colour.DARK_RED: needs a description"),
        ("DARK_RED", "darkRed", "Colour.darkRed: is not UPPER_CASE"),
        ("message:", "message_text:", "UserError.message_text: is not camelCase"),
        ("    id: ID!", "    Id: ID!", "Query.cup(Id): is not camelCase"),
        ("Colour", "colour", "colour: is not PascalCase"),
        ("FillInput", "FillStuff", "FillStuff: an input's name ends with Input or Ref"),
        ("    input:", "    given:", "Mutation.fill: takes one argument, input: FillInput!"),
        ("FillInput!", "FillInput", "Mutation.fill: takes one argument, input: FillInput!"),
        ("FillPayload\n", "FillPayload!\n", "Mutation.fill: answers with FillPayload, which may"),
        ("FillPayload", "Filled", "Mutation.fill: answers with FillPayload, which may be null"),
        ("[UserError!]!", "[UserError!]", "FillPayload: has userErrors: [UserError!]!"),
        ("replayed:", "repeated:", "Mutation.fill: idempotencyKey and replayed belong together"),
        ("idempotencyKey:", "key:", "Mutation.fill: idempotencyKey and replayed belong together"),
        ("[Colour!]!", "[Colour]!", "Cup.colours: its items are never null"),
        ("[Colour!]!", "[Colour!]", "Cup.colours: an empty list says that there are none"),
        ("madeAt:", "made:", "Cup.made: an instant's name ends in At, and no other"),
        ("madeAt: DateTime", "madeAt: String", "Cup.madeAt: an instant's name ends in At"),
        ("    id: ID!", "    cup: ID!", "Query.cup(cup): an id's name ends in Id"),
        ("message: String", "message: Float", "UserError.message: a float is never exact"),
        ("Cup\n}", "CupConnection\n}", "Query.cup: a connection takes first and after"),
        (
            "message: String!",
            "message: String! @deprecated",
            "UserError.message: a deprecation says what to use instead",
        ),
    ],
)
def test_a_breach_is_found(old: str, new: str, breach: str):
    text = HEAD.replace(old, new)
    if "Connection" in new:
        text = text.replace("type Cup {", "type CupConnection {")

    found = lint_schema.breaches(build_schema(text))

    assert any(one.startswith(breach) for one in found), found


def test_a_text_that_other_tools_cannot_read_is_found():
    twice = HEAD.replace("message: String!", "message: String! @mark @mark")
    text = twice + '"""M."""\ndirective @mark on FIELD_DEFINITION\n'

    assert lint_schema.unreadable(HEAD) == []
    assert lint_schema.unreadable(text) == [
        "The directive '@mark' can only be used once at this location."
    ]


def test_ours_breaks_no_rule(capsys: pytest.CaptureFixture[str]):
    assert (lint_schema.main(), capsys.readouterr().out) == (0, "")


def test_what_breaks_a_rule_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(lint_schema, "RULES", (lambda _schema: iter(["Cup: is not a mug"]),))

    assert lint_schema.main() == 1
    assert capsys.readouterr().out == "schema: Cup: is not a mug\n"
