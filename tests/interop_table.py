"""A pytest plugin: after the tests of tests/e2e, a table of peer, scenario and verdict."""

from __future__ import annotations

import collections

PEERS = {  # by the fixture that starts it
    "asterisk": "Asterisk",
    "asterisk_with": "Asterisk",
    "border": "Kamailio",
    "far_end": "SIPp",
    "telephone": "pyVoIP",
    "answering_telephone": "baresip",
}
WORDS = {  # in the name of a test that starts its peer by itself
    "kamailio": "Kamailio",
    "test_capture": "Wireshark",
    "test_servers": "name server",
}


def pytest_collection_modifyitems(items):
    """Note which peers a test calls; with xdist the note travels with its report."""
    for item in items:
        fixtures = set(item.fixturenames) & PEERS.keys()
        names = {PEERS[one] for one in fixtures} | {
            name for word, name in WORDS.items() if word in item.nodeid
        }
        item.user_properties.append(("peer", ", ".join(sorted(names)) or "nobody"))


def pytest_terminal_summary(terminalreporter):
    """Print the table."""
    verdicts = collections.defaultdict(list)
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            if getattr(report, "when", None) == "call" or outcome in {"failed", "error"}:
                test, _, details = report.nodeid.partition("[")
                scenario = test.rpartition("::test_")[2].replace("_", " ")
                peer = dict(report.user_properties).get("peer", "")
                verdicts[peer, scenario].append((details.rstrip("]"), outcome))
    rows = []
    for (peer, scenario), found in sorted(verdicts.items()):
        failed = [details for details, outcome in found if outcome != "passed"]
        count = f" ({len(found)} variants)" if len(found) > 1 else ""
        verdict = " ".join(["FAILED", *failed]) if failed else "ok"
        rows.append((peer, scenario + count, verdict))
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    terminalreporter.section("interoperability")
    for peer, scenario, verdict in rows:
        terminalreporter.write_line(f"{peer:{widths[0]}}  {scenario:{widths[1]}}  {verdict}")
