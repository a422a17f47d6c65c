"""Everything that meets HTTP: interception, recording, matching, replay, and the files in between."""

from harness.cassettes.files import load_cassette, save_cassette

__all__ = ["load_cassette", "save_cassette"]
