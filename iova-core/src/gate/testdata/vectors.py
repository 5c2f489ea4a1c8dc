#!/usr/bin/env python3
"""Makes vectors.txt: 200 cases for the statistics of the gate, computed by SciPy and NumPy.

    pip install scipy && python3 vectors.py > vectors.txt

One case per line, fields apart by ';': the method and the tail of scipy.stats.mannwhitneyu, its U and p, the median of
all differences, the median of all quotients ("-" where a value is not above 0), the first sample, the second. Methods:
"exact" counts out the distribution; with ties SciPy does that by its PermutationMethod over every arrangement.
"normal" is its asymptotic method, which corrects for ties and continuity.
"""

import numpy as np
import scipy
from scipy import stats

SEED = 20240501
rng = np.random.default_rng(SEED)


def sample(kind, size, scale):
    if kind == "lognormal":
        return np.round(400 * scale * rng.lognormal(0, 0.2, size), 2)
    if kind == "normal":
        return np.round(rng.normal(3 * (scale - 1), 1, size), 3)
    # Steps, as a histogram's percentiles have them: many ties.
    return np.round(rng.lognormal(0, 0.4, size) * 5 * scale).clip(1, 12) * 16


def exact(a, b, tail):
    if len(np.unique(np.concatenate([a, b]))) == len(a) + len(b):
        return stats.mannwhitneyu(a, b, alternative=tail, method="exact")
    return stats.mannwhitneyu(a, b, alternative=tail, method=stats.PermutationMethod(n_resamples=np.inf))


def numbers(values):
    return ",".join(repr(float(value)).removesuffix(".0") for value in values)


print(f"# 200 cases by vectors.py: SciPy {scipy.__version__}, NumPy {np.__version__}, seed {SEED}")
for case in range(200):
    method = "exact" if case % 2 == 0 else "normal"
    kind = ["lognormal", "steps", "normal"][case // 2 % 3]
    # Every arrangement of ties is tried one by one, so those cases are small.
    most = 40 if method == "normal" else 7 if kind == "steps" else 20
    n, m = rng.integers(2, most + 1, 2)
    a = sample(kind, n, rng.choice([1.0, 1.02, 1.1, 1.4]))
    b = sample(kind, m, 1.0)
    tail = ["greater", "less"][case // 6 % 2]
    if method == "exact":
        result = exact(a, b, tail)
    else:
        result = stats.mannwhitneyu(a, b, alternative=tail, method="asymptotic")
    difference = np.median(np.subtract.outer(a, b))
    quotient = repr(float(np.median(np.divide.outer(a, b)))) if min(a.min(), b.min()) > 0 else "-"
    fields = [method, tail, numbers([result.statistic]), numbers([result.pvalue]), numbers([difference]), quotient]
    print(";".join(fields + [numbers(a), numbers(b)]))
