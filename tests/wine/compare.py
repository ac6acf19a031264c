"""Compares the JUnit reports of a CI run on Linux and on Wine: how many tests ran, and which exist on one side only.

Fails if fewer than half as many tests ran on Wine as on Linux, which means that more than single tests was missing.
"""

import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter


def outcomes(report: str) -> dict[str, str]:
    """The id of each test with "ran", or with the reason why it was skipped or expected to fail."""
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        skipped = case.find("skipped")
        name = f"{case.get('classname')}::{case.get('name')}"
        found[name] = "ran" if skipped is None else skipped.get("message") or "skipped"
    return found


def main(linux: str, windows: str) -> int:
    halves = {"compat on Linux": outcomes(linux), "ws2_32 on Wine": outcomes(windows)}
    for half, tests in halves.items():
        reasons = Counter(reason.split(":")[0].split("(")[0].strip() for reason in tests.values() if reason != "ran")
        ran = sum(reason == "ran" for reason in tests.values())
        print(f"{half}: {len(tests)} tests collected, {ran} ran")
        for reason, count in reasons.most_common():
            print(f"    {count:4} skipped: {reason}")
    first, second = halves.values()
    for name, one, other in (("Linux", first, second), ("Windows", second, first)):
        for test in sorted(set(one) - set(other)):
            print(f"only on {name}: {test}")
    here, there = (sum(reason == "ran" for reason in tests.values()) for tests in (first, second))
    if not there or there < here / 2:
        print(f"too few tests ran on Wine: {there}, compared to {here} on Linux", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
