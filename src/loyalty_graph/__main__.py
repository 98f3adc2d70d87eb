"""Run the command line: `python -m loyalty_graph`."""

from loyalty_graph.cli import main

if __name__ == "__main__":
    main()
