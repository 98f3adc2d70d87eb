import pytest

from tests.graphql.conftest import CUPBOARD, batches, context_of


@pytest.mark.parametrize("first", [1, 30])
async def test_a_list_of_any_length_takes_one_call_per_field(first: int):
    query = (
        f"{{ cups(first: {first}) {{ nodes {{ filling {{ colour filling {{ number }} }} }} }} }}"
    )

    result = await CUPBOARD.execute(query, None, context_of())

    assert result.errors is None
    assert [name for name, _parents, _suffix in batches] == ["fillings", "colours", "fillings"]
    assert batches[0][1] == list(range(1, first + 1))


async def test_other_arguments_are_another_batch():
    query = '{ cups(first: 2) { nodes { colour also: colour blue: colour(suffix: "-blue") } } }'

    result = await CUPBOARD.execute(query, None, context_of())

    assert result.data == {
        "cups": {"nodes": [{"colour": "red", "also": "red", "blue": "red-blue"}] * 2}
    }
    assert batches == [("colours", [1, 1, 2, 2], ""), ("colours", [1, 2], "-blue")]


async def test_an_error_of_one_parent_leaves_the_others_alone():
    result = await CUPBOARD.execute(
        "{ cups(first: 14) { nodes { number colour } } }", None, context_of()
    )

    assert result.data is not None
    colours = [cup["colour"] for cup in result.data["cups"]["nodes"]]
    assert colours == ["red"] * 12 + [None, "red"]
    assert [error.path for error in result.errors or []] == [["cups", "nodes", 12, "colour"]]


async def test_batches_end_with_their_operation():
    context = context_of()

    await CUPBOARD.execute("{ cups(first: 1) { nodes { filling { number } } } }", None, context)
    await CUPBOARD.execute("{ cups(first: 1) { nodes { filling { number } } } }", None, context)

    assert [parents for _name, parents, _suffix in batches] == [[1], [1]]
