"""Everything that meets HTTP: interception, recording, matching, replay, and the files in between."""

from harness.cassettes.extending import ExtendSession
from harness.cassettes.files import load_cassette, save_cassette
from harness.cassettes.interception import assert_in_path, covered, intercepted, routed
from harness.cassettes.isolation import isolate
from harness.cassettes.journal import Journal, Leftover, read_journal
from harness.cassettes.plain import Filters, PlainSession
from harness.cassettes.sealing import add_attempts, attempts, reaching, sealed
from harness.cassettes.sessions import Played, RecordSession, ReplaySession, Session, describe_unplayed

__all__ = [
    "ExtendSession",
    "Filters",
    "Journal",
    "Leftover",
    "PlainSession",
    "Played",
    "RecordSession",
    "ReplaySession",
    "Session",
    "add_attempts",
    "assert_in_path",
    "attempts",
    "covered",
    "describe_unplayed",
    "intercepted",
    "isolate",
    "load_cassette",
    "reaching",
    "read_journal",
    "routed",
    "save_cassette",
    "sealed",
]
