"""The strict DER reader."""

import pytest

from loyalty_graph.wallet.apple import der


def test_elements_keep_their_place_in_the_bytes():
    data = bytes.fromhex("3006020105040161")

    integer, octets = der.read(data).children()

    assert (integer.tag, integer.content, integer.encoded) == (0x02, b"\x05", b"\x02\x01\x05")
    assert (octets.start, octets.content_start, octets.end) == (5, 7, 8)


def test_a_long_length_is_read():
    data = bytes.fromhex("04820100") + bytes(256)

    assert len(der.read(data).content) == 256


@pytest.mark.parametrize(
    ("case", "encoded"),
    [
        ("nothing", ""),
        ("only a tag", "30"),
        ("cut short", "040261"),
        ("more after the end", "04016161"),
        ("an indefinite length", "30800000"),
        ("a length not in its shortest form", "04810161"),
        ("a length that begins with zero", "0482000161"),
        ("a length of five bytes", "04850000000001"),
        ("a length cut short", "0482"),
        ("a tag of several bytes", "1f810100"),
    ],
)
def test_what_is_not_der_is_refused(case: str, encoded: str):
    with pytest.raises(der.DerError):
        der.read(bytes.fromhex(encoded))


def test_children_must_fill_their_parent():
    parent = der.read(bytes.fromhex("3003020261"))

    with pytest.raises(der.DerError, match="2 bytes announced, 1 left"):
        parent.children()


def test_a_plain_value_has_no_children():
    with pytest.raises(der.DerError, match="holds no other elements"):
        der.read(bytes.fromhex("040161")).children()


def test_another_tag_than_expected_is_refused():
    with pytest.raises(der.DerError, match="tag 0x04 where 0x02 belongs"):
        der.read(bytes.fromhex("040161")).expect(der.INTEGER)
