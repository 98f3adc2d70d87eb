from loyalty_graph.graphql.ids import encode_id
from tests.api import OTHER_PROGRAM, Api
from tests.shop import PROGRAM

ASK = """query ($slug: String) { program(slug: $slug) { id name slug currencyCode timeZone pointName
    pointNamePlural expiryMonths clawback version sandbox branding { background foreground label }
    terms support } }"""
BRANDING = {
    "background": "rgb(1, 2, 3)",
    "foreground": "rgb(4, 5, 6)",
    "label": "rgb(7, 8, 9)",
    "terms": "Be kind.",
    "support": "help@bean-club.example",
}
NAME = "query ($slug: String) { program(slug: $slug) { name } }"


def test_anybody_may_see_the_programme(api: Api):
    api.open_shop({**PROGRAM, "branding": BRANDING})

    program = api.data(ASK, token=None)["program"]

    assert program == {
        "id": encode_id("Program", api.shop.program_id),
        "name": "Bean Club",
        "slug": "bean-club",
        "currencyCode": "EUR",
        "timeZone": "Europe/Berlin",
        "pointName": "bean",
        "pointNamePlural": "beans",
        "expiryMonths": 6,
        "clawback": "CLAMP_TO_ZERO",
        "version": 2,
        "sandbox": False,
        "branding": {
            "background": "rgb(1, 2, 3)",
            "foreground": "rgb(4, 5, 6)",
            "label": "rgb(7, 8, 9)",
        },
        "terms": "Be kind.",
        "support": "help@bean-club.example",
    }


def test_among_several_programmes_one_is_named(api: Api):
    other = api.open_shop(OTHER_PROGRAM)

    assert api.error(NAME, token=None) == "INVALID_INPUT"
    assert api.data(NAME, {"slug": "tea-club"}, token=None) == {"program": {"name": "Tea Club"}}
    assert api.error(NAME, {"slug": "no-club"}, token=None) == "NOT_FOUND"
    assert api.data(NAME, token=api.token("admin", shop=other)) == {"program": {"name": "Tea Club"}}


def test_a_slug_longer_than_any_is_not_found(api: Api):
    [error] = api.ask(NAME, {"slug": "x" * 5000}, token=None)["errors"]

    assert error["extensions"]["code"] == "NOT_FOUND"
    assert len(error["message"]) < 200
