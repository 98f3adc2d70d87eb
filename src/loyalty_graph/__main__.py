"""Run the command line: `python -m loyalty_graph`, and the program that installers make of it."""

import sys

from loyalty_graph.garbage import collected_rarely

INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it


def main() -> None:
    """Load the command line and run it; Ctrl-C while it loads ends it as it does later."""
    with collected_rarely():  # Of a command's time to load, a tenth went into looking for garbage.
        try:
            from loyalty_graph.cli import main as command_line
        except KeyboardInterrupt:
            sys.stderr.write("Stopped.\n")
            sys.exit(INTERRUPTED)
        command_line()


if __name__ == "__main__":
    main()
