"""A table for the tests of `db`: two rows that every transaction keeps equal."""

from tortoise import fields
from tortoise.models import Model


class Pair(Model):
    id: int = fields.IntField(primary_key=True)
    amount: int = fields.IntField(default=0)

    class Meta(Model.Meta):
        table = "pair"
