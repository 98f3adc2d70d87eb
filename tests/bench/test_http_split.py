"""Where the time of a request over HTTP goes."""

from bench.http_split import parts


def test_the_parts_of_a_request_add_up_to_the_whole():
    spent = {
        "view": 8.0,
        "auth": 0.5,
        "operation": 7.0,
        "prepare": 0.25,
        "gathered": 6.0,
        "batch": 4.0,
        "transaction": 3.75,
        "work": 3.0,
        "sql": 2.0,
        "serialise": 0.125,
    }

    split = parts(spent, 10.0)

    assert split == {
        "http": 2.0,
        "view": 0.375,
        "auth": 0.5,
        "parse_validate": 0.25,
        "resolve": 0.75,
        "gather_wait": 2.0,
        "decide": 1.25,
        "database": 2.75,
        "serialise": 0.125,
    }
    assert sum(split.values()) == 10.0
