"""make bench"""

import re

from scripts.bench import Race, line


def test_a_race_tells_the_ratio_to_the_peer_and_the_goal() -> None:
    told = line(Race(("sleep", "0.2"), ("sleep", "0.1"), 1.4))

    found = re.fullmatch(r"sleep 0\.2 +0\.\d\d s   sleep 0\.1 0\.\d\d s   (\d\.\d\d) x \(goal: 1\.4 x\)", told)
    assert found
    assert 1 < float(found[1]) < 3


def test_without_a_peer_it_tells_the_seconds() -> None:
    assert re.fullmatch(r"true +0\.\d\d s +\(goal: 4 s\)", line(Race(("true",), (), 4)))
