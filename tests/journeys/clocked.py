"""The installed program with a clock that a file puts forward, by so many seconds."""

import os
from datetime import datetime, timedelta
from pathlib import Path

from loyalty_graph import clock

FORWARD = Path(os.environ["JOURNEY_CLOCK"])
real_now = clock.utc_now


def utc_now() -> datetime:
    return real_now() + timedelta(seconds=float(FORWARD.read_text()))


if __name__ == "__main__":
    # Before anybody imports it by name.
    clock.utc_now = utc_now

    from loyalty_graph.cli import main

    main()
