"""The front page."""

from loyalty_graph import __version__
from tests.api import Api


def test_it_says_what_runs_and_how_to_ask(api: Api):
    answer = api.client.get("/")

    assert answer.status_code == 200
    assert f"Version {__version__} is running here." in answer.text
    assert "curl http://testserver/graphql" in answer.text
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_every_place_it_names_is_there(api: Api):
    html = api.client.get("/").text

    for path in ("/graphql", "/schema.graphql", "/healthz", "/readyz"):
        assert f'href="{path}"' in html
        assert api.client.get(path, headers={"accept": "text/html"}).status_code == 200


def test_an_address_that_looks_like_a_tag_is_written_as_text(api: Api):
    answer = api.client.get("/", headers={"Host": '"><script>alert(1)</script>'})

    assert "<script>" not in answer.text


def test_files_are_kept_but_asked_about_each_time(api: Api):
    first = api.client.get("/static/card.css")
    again = api.client.get("/static/card.css", headers={"if-none-match": first.headers["etag"]})

    assert (first.status_code, again.status_code) == (200, 304)
    assert first.headers["cache-control"] == "no-cache"
    assert api.client.get("/static/../pages.py").status_code == 404
