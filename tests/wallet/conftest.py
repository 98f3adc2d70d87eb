"""Chains are made once: their keys take a moment."""

import pytest

from loyalty_graph.wallet.apple.card import CardPrinter
from loyalty_graph.wallet.apple.development_ca import IDENTITY, Chain, make_chain
from loyalty_graph.wallet.apple.signing import PassIdentity, Signer
from loyalty_graph.wallet.templates import Template, load_template
from tests.wallet.making import NOW, SERIAL, TEMPLATE, make_face, make_signer


@pytest.fixture(scope="session")
def chain() -> Chain:
    return make_chain(IDENTITY, now=NOW)


@pytest.fixture(scope="session")
def other_chain() -> Chain:
    return make_chain(PassIdentity("pass.com.example.other", "OTHERTEAM1"), now=NOW)


@pytest.fixture(scope="session")
def signer(chain: Chain) -> Signer:
    return make_signer(chain)


@pytest.fixture(scope="session")
def card_template() -> Template:
    return load_template(TEMPLATE)


@pytest.fixture(scope="session")
def printer(card_template: Template, signer: Signer) -> CardPrinter:
    return CardPrinter(card_template, signer)


@pytest.fixture(scope="session")
def pass_file(printer: CardPrinter) -> bytes:
    return printer.print(make_face(), serial_number=SERIAL, now=NOW)
