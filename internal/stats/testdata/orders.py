# What NumPy and SciPy say of runs in an order, by whole matrices where Go goes through
# sums: the differences, their variances and degrees of freedom, what drift does to
# them, and what the runs show of drift.
#
#     python3 -m venv v && v/bin/pip install numpy==2.4.6 scipy==1.16.3
#     v/bin/python internal/stats/testdata/orders.py > internal/stats/testdata/orders.json
import json

import numpy as np
from scipy import stats

MEMORIES = (0.3, 0.6, 0.9, 0.98)
CURVES = (lambda x: x**2, lambda x: x**3, lambda x: np.exp(-x / 0.1), lambda x: np.exp(-x / 0.25), lambda x: np.exp(-x / 0.5))


def axis(at):
    gaps = np.diff(at)
    gaps = np.minimum(gaps, 3 * np.sort(gaps)[len(gaps) // 2])
    return np.concatenate([[0], np.cumsum(gaps)]) / gaps.mean()


def trend(second, x):
    """Weights of the difference, and (matrix, degrees of freedom) of each part of its variance."""
    design = np.column_stack([1 - second, second, x])
    solve = np.linalg.pinv(design)
    rest = np.eye(len(x)) - design @ solve
    w = solve[1] - solve[0]
    parts = []
    for g in (0, 1):
        m = (second == g).astype(float)
        df = np.trace(np.diag(m) @ rest)
        parts.append((rest @ np.diag(m) @ rest * (w**2 @ m) / df, df))
    return w, parts


def paired(second, x):
    a, b = np.flatnonzero(second == 0), np.flatnonzero(second == 1)
    n = len(a)
    d = np.zeros((n, 2 * n))
    m = np.zeros((n, 2 * n))
    d[np.arange(n), a], d[np.arange(n), b] = -1, 1
    m[np.arange(n), a], m[np.arange(n), b] = 0.5, 0.5
    line = np.column_stack([np.ones(n), m @ x])
    solve = np.linalg.pinv(line) @ m
    slope = solve[1]
    ahead = d @ x
    level = d - np.outer(ahead, slope)
    w = level.mean(axis=0)
    within = level - w
    between = m - line @ solve
    spread = ((line[:, 1] - line[:, 1].mean()) ** 2).sum()
    return w, [(within.T @ within / (n - 1) / n, n - 1), (between.T @ between / (n - 2) * ahead.mean() ** 2 / spread, n - 2)]


def df(parts, y):
    v = [y @ q @ y for q, _ in parts]
    return sum(v) ** 2 / sum(e**2 / f for e, (_, f) in zip(v, parts) if e > 1e-30)


def widening(w, parts, x):
    q = sum(p for p, _ in parts)
    worst = 1
    for memory in MEMORIES:
        noise = memory ** np.abs(x[:, None] - x[None, :])
        worst = max(worst, w @ noise @ w / np.trace(q @ noise))
    for curve in CURVES:
        y = curve(x / x[-1])
        worst = max(worst, (w @ y) ** 2 / (y @ q @ y) / 1.4)
    for k in range(1, len(x)):
        y = (np.arange(len(x)) >= k).astype(float)
        if abs(w @ y) < 1e-10:
            continue
        if y @ q @ y < 1e-12:
            return None
        worst = max(worst, 1.6 * (w @ y) ** 2 / (y @ q @ y) / stats.t.ppf(0.975, df(parts, y)) ** 2)
    return worst


rng = np.random.default_rng(11)
cases = []
for order in ("ABABAB", "ABBAAB", "BAABAB", "AABABB", "AAABBB", "ABABA", "ABBAABBAAB", "AABBBABAAB", "ABBBAABABA", "ABABBAABABBABAABBAAB", "AAAAABBBBBAAAAABBBBB"):
    for irregular in (False, True):
        second = np.array([c == "B" for c in order]).astype(int)
        at = np.arange(len(order)) * 60.0
        if irregular:
            at = np.cumsum(rng.exponential(60, len(order)))
        y = rng.normal(0, 0.01, len(order)) + 0.02 * at / at[-1] - 0.01 * second
        x = axis(at)
        case = {"order": order, "at": at.tolist(), "values": np.exp(y).tolist(), "axis": x.tolist()}
        ways = {"trend": trend}
        if 2 * second.sum() == len(order):
            ways["paired"] = paired
        for name, way in ways.items():
            w, parts = way(second, x)
            case[name] = {"log": w @ y, "variance": sum(y @ q @ y for q, _ in parts), "df": df(parts, y), "widening": widening(w, parts, x)}
        design = np.column_stack([1 - second, second, x])
        rest = np.eye(len(x)) - design @ np.linalg.pinv(design)
        e, k = rest @ y, len(x) - 3
        se = np.sqrt(e @ e / k * np.linalg.inv(design.T @ design)[2, 2])
        slope = (np.linalg.pinv(design) @ y)[2]
        near = (np.eye(len(x), k=1) + np.eye(len(x), k=-1)) / 2
        m = rest @ near
        mean = np.trace(m) / k
        sd = np.sqrt(2 * (np.trace(m @ m) - np.trace(m) ** 2 / k) / (k * (k + 2)))
        seen = e @ near @ e / (e @ e) - mean
        case["drift"] = {"trend": slope * x[-1], "trend_p": 2 * stats.t.sf(abs(slope / se), k), "dependence": seen, "dependence_p": 2 * stats.norm.sf(abs(seen / sd))}
        cases.append(case)
print(json.dumps(cases, allow_nan=False, indent=1))
