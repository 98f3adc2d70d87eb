"""Whose wallets cards live in, as the schema tells it."""

from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.wallet.service import Platform

__all__ = ["Platform"]

describe_enum(
    Platform,
    "Whose wallet a card lives in.",
    {
        Platform.APPLE: "Apple Wallet: the link opens a signed .pkpass file.",
        Platform.GOOGLE: "Google Wallet: the link saves the card to a Google account.",
    },
    name="PassPlatform",
)
