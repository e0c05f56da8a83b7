# What SciPy and statsmodels say of the samples that scipy_test.go is held to.
#
#     python3 -m venv v && v/bin/pip install scipy==1.16.3 statsmodels==0.14.6
#     v/bin/python internal/stats/testdata/figures.py > internal/stats/testdata/figures.json
import json

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower, TTestPower


def known(x):
    """SciPy's noncentral t gives up on effects that are many times the spread."""
    return None if np.isnan(x) else float(x)


rng = np.random.default_rng(7)
cases = []
for n, m, factor, spread in [(2, 2, 1.1, 0.02), (3, 3, 1.0, 0.01), (3, 3, 0.93, 0.01), (5, 3, 1.02, 0.03),
                             (10, 10, 0.98, 0.02), (10, 4, 1.5, 0.2), (30, 30, 1.001, 0.005)]:
    a = np.exp(rng.normal(0, 0.01, n))
    b = factor * np.exp(rng.normal(0, spread, m))
    la, lb = np.log(a), np.log(b)
    welch = stats.ttest_ind(lb, la, equal_var=False)
    ci = welch.confidence_interval(0.95)
    case = {
        "a": a.tolist(), "b": b.tolist(),
        "interval": list(stats.t.interval(0.95, n - 1, a.mean(), stats.sem(a))),
        "welch": {"p": welch.pvalue, "df": welch.df, "low": np.expm1(ci.low), "high": np.expm1(ci.high)},
    }
    if n == m:
        paired = stats.ttest_rel(lb, la)
        ci = paired.confidence_interval(0.95)
        case["paired"] = {"p": paired.pvalue, "df": float(paired.df), "low": np.expm1(ci.low), "high": np.expm1(ci.high)}
        d = lb - la
        effect = abs(d.mean()) / d.std(ddof=1)
        case["power_paired"] = [known(TTestPower().power(effect, k, 0.05)) for k in (2, 5, 20)]
    cases.append(case)

# Two samples of one spread: Welch's test is then Student's, whose power is known.
equal = {"a": [1.0, float(np.exp(0.02))], "b": [float(np.exp(0.03)), float(np.exp(0.05))]}
effect = 0.03 / np.std([0, 0.02], ddof=1)
equal["repeats"] = [int(np.ceil(TTestIndPower().solve_power(effect, alpha=alpha, power=0.8))) for alpha in (0.05, 0.01)]

ps = [[0.01, 0.04, 0.03, 0.005], [0.02, 0.6], [0.04], [0.011, 0.02, 0.02, 0.9, 0.001]]
print(json.dumps(allow_nan=False, indent=1, obj={
    "cases": cases,
    "equal": equal,
    "noncentral_t": [[t, df, shift, float(stats.nct.cdf(t, df, shift))]
                     for t in (-4.0, -1.0, 0.0, 2.0, 5.0) for df in (1.0, 2.5, 9.0, 200.0, 2e6) for shift in (0.0, 1.0, 3.5)],
    "holm": [{"p": p, "shown": multipletests(p, 0.05, "holm")[0].tolist()} for p in ps],
}))
