"""python3 -m unittest discover -s bench/tests -t bench"""

import unittest

from suite.stats import DRIFT, compare, ratio, spread, summary


def figure(value, noise=0.0):
    return {"value": value, "noise": noise}


class Summaries(unittest.TestCase):
    def test_the_median_and_the_middle_half(self):
        self.assertEqual(summary([5, 1, 4, 2, 3]), {"median": 3, "low": 2, "high": 4, "samples": 5})

    def test_one_sample_has_no_spread(self):
        self.assertEqual(spread(summary([7])), 0)

    def test_an_outlier_is_not_in_the_spread(self):
        self.assertEqual(spread(summary([1, 1, 1, 1, 100])), 0)


class Ratios(unittest.TestCase):
    def test_what_drifts_for_both_is_taken_out(self):
        found = ratio([2, 20, 200], [1, 10, 100])
        self.assertEqual((found["median"], spread(found)), (2, 0))

    def test_rounds_without_a_pair_do_not_count(self):
        self.assertEqual(ratio([2, 4, 6], [1, 2])["samples"], 2)

    def test_nothing_to_compare_with(self):
        self.assertIsNone(ratio([1], [0]))


class Comparisons(unittest.TestCase):
    def test_a_slower_row_is_named_with_both_figures(self):
        regressions, unmeasured = compare({"walk": figure(1.0)}, {"walk": figure(1.5)})
        self.assertEqual([(key, before, now) for key, before, now, _ in regressions], [("walk", 1.0, 1.5)])
        self.assertEqual(unmeasured, [])

    def test_a_faster_row_is_fine(self):
        self.assertEqual(compare({"walk": figure(1.0)}, {"walk": figure(0.1)}), ([], []))

    def test_a_quiet_row_may_drift_a_little(self):
        self.assertEqual(compare({"walk": figure(1.0)}, {"walk": figure(1.0 + DRIFT * 0.9)})[0], [])

    def test_the_noise_of_either_run_excuses(self):
        self.assertEqual(compare({"walk": figure(1.0, 0.2)}, {"walk": figure(1.5)})[0], [])
        self.assertEqual(compare({"walk": figure(1.0)}, {"walk": figure(1.5, 0.2)})[0], [])
        self.assertEqual(len(compare({"walk": figure(1.0, 0.1)}, {"walk": figure(1.5, 0.1)})[0]), 1)

    def test_the_worst_comes_first(self):
        accepted = {"a": figure(1.0), "b": figure(10.0)}
        regressions, _ = compare(accepted, {"a": figure(4.0), "b": figure(20.0)})
        self.assertEqual([key for key, *_ in regressions], ["a", "b"])

    def test_rows_that_were_not_measured_are_named(self):
        self.assertEqual(compare({"walk": figure(1.0), "gone": figure(1.0)}, {"walk": figure(1.0)}), ([], ["gone"]))


if __name__ == "__main__":
    unittest.main()
