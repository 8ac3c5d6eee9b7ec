"""Medians, their spread, ratios, and what counts as a regression."""

import math
import statistics

# A change within this share of a ratio is never called a regression, however quiet the two runs were: it is what
# figures drift by from one boot to the next.
DRIFT = 0.15
# How many times the noise of both runs a change must exceed. The noise is half the width of the middle half, 0.67
# standard deviations of a normal distribution.
TIMES_NOISE = 3


def summary(samples):
    """Median and the middle half of the samples around it."""
    ordered = sorted(samples)
    low, high = ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]
    return {"median": statistics.median(ordered), "low": low, "high": high, "samples": len(ordered)}


def spread(result):
    """Half the width of the middle half."""
    return (result["high"] - result["low"]) / 2


def ratio(samples, base):
    """The ratio of one system's samples to the base's, both by round; None if a round has no pair. What drifts from
    round to round drifts for both, so the ratio of each round is taken first, the median after that."""
    pairs = [one / other for one, other in zip(samples, base) if other > 0]
    return summary(pairs) if pairs else None


def tolerance(accepted, noise, noise_now):
    """By how much a ratio may exceed the accepted one."""
    return max(DRIFT * accepted, TIMES_NOISE * math.hypot(noise, noise_now))


def compare(accepted, measured):
    """Compares {key: {"value", "noise"}} of two runs. Returns (regressions, unmeasured): the first as
    (key, accepted value, value now, tolerance), the worst first; the second as keys."""
    regressions, unmeasured = [], []
    for key, before in accepted.items():
        now = measured.get(key)
        if now is None:
            unmeasured.append(key)
            continue
        allowed = tolerance(before["value"], before["noise"], now["noise"])
        if now["value"] > before["value"] + allowed:
            regressions.append((key, before["value"], now["value"], allowed))
    regressions.sort(key=lambda found: found[2] / found[1] if found[1] else math.inf, reverse=True)
    return regressions, unmeasured
