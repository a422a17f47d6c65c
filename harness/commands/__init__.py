"""The commands of ``harness``: each module here adds its own to the parser, and runs them."""
