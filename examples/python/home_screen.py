"""Prints a member's home screen.

Set LOYALTY_URL and LOYALTY_TOKEN, a member's, first. Nothing but Python is needed.
"""

import json
import os
import urllib.request
from pathlib import Path
from typing import Any

QUERY = (Path(__file__).parents[1] / "home-screen.graphql").read_text()
TIMEOUT_S = 10


def ask(query: str) -> dict[str, Any]:
    """Return the data of an answer; a request that cannot be served raises, and says why."""
    request = urllib.request.Request(  # noqa: S310 - the address is the operator's own
        os.environ["LOYALTY_URL"],
        json.dumps({"query": query}).encode(),
        {
            "Authorization": f"Bearer {os.environ['LOYALTY_TOKEN']}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - as above
        body: dict[str, Any] = json.load(answer)
    if "errors" in body:
        raise RuntimeError(body["errors"][0]["message"])
    data: dict[str, Any] = body["data"]
    return data


def main() -> None:
    """Print what the member sees first."""
    data = ask(QUERY)
    member, unit = data["me"], data["program"]["pointNamePlural"]
    print(f"{data['program']['name']}: {member['wallet']['available']} {unit}")
    for ending in member["wallet"]["expirations"]:
        print(f"  {ending['points']} until {ending['expiresAt']}")
    if (tier := member["tier"]) and tier["next"]:
        missing = tier["amountToNext"] or {"amount": tier["pointsToNext"], "currencyCode": unit}
        print(f"  {missing['amount']} {missing['currencyCode']} to {tier['next']['name']}")
    for entry in member["entries"]["nodes"]:
        why = entry["explanation"]
        print(f"{entry['at'][:10]} {entry['points']:+6} {why['summary'] if why else ''}")


if __name__ == "__main__":
    main()
