"""What of a run is compared with the accepted one."""

import unittest

from suite.baseline import values


def result(median, low, high, samples=5, ratio=None):
    return {"median": median, "low": low, "high": high, "samples": samples, **({"ratio": ratio} if ratio else {})}


def document(**rows):
    return {"phases": {"unpinned": rows, "processor time": {}}}


class Values(unittest.TestCase):
    def test_a_row_with_a_base_counts_by_its_ratio(self):
        row = {"base": "overlayfs", "systems": {"mica a": result(80, 70, 90, ratio=result(2.0, 1.9, 2.2))}}
        self.assertEqual(values(document(walk=row)), {"unpinned | walk | mica a": {"value": 2.0, "noise": 0.15}})

    def test_a_row_without_one_counts_by_its_value(self):
        row = {"base": None, "systems": {"mica a": result(9.5, 9.5, 9.5)}}
        self.assertEqual(values(document(memory=row))["unpinned | memory | mica a"], {"value": 9.5, "noise": 0.0})

    def test_elapsed_times_of_two_rounds_say_nothing(self):
        row = {"base": "overlayfs", "systems": {"mica a": result(8, 8, 8, 2, ratio=result(2, 2, 2, 2))}}
        self.assertEqual(values(document(walk=row)), {})

    def test_processor_time_counts_after_one_round(self):
        row = {"base": "overlayfs", "systems": {"mica a": result(8, 8, 8, 1, ratio=result(2, 2, 2, 1))}}
        found = values({"phases": {"processor time": {"walk": row}}})
        self.assertEqual(found, {"processor time | walk | mica a": {"value": 2.0, "noise": 0.2}})

    def test_requests_count(self):
        requests = {
            "create": {"micafs a": {"LOOKUP": 1, "MKNOD": 1}, "fuse-overlayfs 1.10": {"LOOKUP": 1}},
            "stat": {"mica a": {"GETATTR": 0.001}},
        }
        found = values({"phases": {}, "requests": requests})
        self.assertEqual(found, {"requests | create | micafs a": {"value": 2.0, "noise": 0.1}})

    def test_others_are_not_held_to_anything(self):
        row = {"base": "overlayfs", "systems": {"fuse-overlayfs 1.10": result(1, 1, 1, ratio=result(1, 1, 1))}}
        self.assertEqual(values(document(walk=row)), {})

    def test_a_single_round_says_nothing_about_noise(self):
        row = {"base": None, "systems": {"mica a": result(8, 8, 8, samples=1)}}
        self.assertEqual(values(document(memory=row))["unpinned | memory | mica a"]["noise"], 2.0)


if __name__ == "__main__":
    unittest.main()
