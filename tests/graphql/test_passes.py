from datetime import timedelta

from loyalty_graph.wallet.apple.checking import describe
from loyalty_graph.wallet.models import PassRow
from tests.api import Api, member_id, receipt

ISSUE = "pass { platform url development }"


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3]


async def _passes() -> int:
    return await PassRow.all().count()


def points_on(api: Api, url: str) -> str:
    answer = api.client.get(path_of(url))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.apple.pkpass"
    [primary] = describe(answer.content)["card"]["storeCard"]["primaryFields"]
    value: str = primary["value"]
    return value


def test_a_card_shows_the_points_of_the_moment_it_is_fetched(api: Api):
    ada = api.run(api.shop.enrol)
    issued = api.do("issuePass", {"member": {"id": member_id(ada)}}, ISSUE)
    url = issued["pass"]["url"]

    before = points_on(api, url)
    api.do("recordPurchase", receipt(ada), "points")
    after = points_on(api, url)

    assert issued["userErrors"] == []
    assert (issued["pass"]["platform"], issued["pass"]["development"]) == ("APPLE", True)
    assert (before, after) == ("0", "108")


def test_a_member_has_one_card(api: Api):
    ada = api.run(api.shop.enrol)
    given = {"member": {"id": member_id(ada)}}

    first = api.do("issuePass", given, ISSUE)
    again = api.do("issuePass", given, ISSUE)

    assert api.run(_passes) == 1
    serials = {
        describe(api.client.get(path_of(one["pass"]["url"])).content)["card"]["serialNumber"]
        for one in (first, again)
    }
    assert len(serials) == 1


def test_a_link_is_good_for_a_week(api: Api):
    ada = api.run(api.shop.enrol)
    url = api.do("issuePass", {"member": {"id": member_id(ada)}}, ISSUE)["pass"]["url"]

    api.now += timedelta(days=7)

    answer = api.client.get(path_of(url))
    assert (answer.status_code, answer.text) == (403, "This link has expired; ask for a new one.")


def test_nobody_gets_no_card(api: Api):
    code = api.refusal("issuePass", {"member": {"externalId": "nobody"}})

    assert code == ("NOT_FOUND", "member")
