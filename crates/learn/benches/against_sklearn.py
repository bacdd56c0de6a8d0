"""Times scikit-learn beside graft on the same data, one thread each.

    cargo bench -p graft-learn --bench linear --no-run     # prints the program
    python crates/learn/benches/against_sklearn.py PROGRAM [ROUNDS]

Both generate the data of benches/linear.rs from SplitMix64. In every round
PROGRAM and scikit-learn run one after the other, so that both see the same noise
of the machine; the ratios are of medians over the rounds. graft's times include
standardising the features; scikit-learn's do not (it is given standardised ones,
float32, which is faster for it than float64).
"""

import os

os.environ.pop("OPENBLAS_CORETYPE", None)
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import re
import subprocess
import sys
import time
import warnings

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV

warnings.filterwarnings("ignore")

FEATURES, FACTORS = 1280, 48


class Random:
    """SplitMix64 in bulk: the state is a counter, so numbers come by index."""

    def __init__(self, seed):
        self.state = np.uint64(seed)

    def unit(self, count):
        step = np.uint64(0x9E3779B97F4A7C15)
        z = self.state + step * np.arange(1, count + 1, dtype=np.uint64)
        self.state = z[-1]
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
        return (z >> np.uint64(11)) * 2.0**-53

    def normal(self, count):
        draws = self.unit(12 * count).reshape(count, 12)
        total = np.zeros(count)
        for column in range(12):  # in this order: sums are rounded
            total += draws[:, column]
        return total - 6.0


def problem(examples, classes, seed):
    random = Random(seed)
    mixing = random.normal(FACTORS * FEATURES).reshape(FACTORS, FEATURES)
    x = np.empty((examples, FEATURES), np.float32)
    y = np.empty(examples, int)
    for i in range(examples):
        latent = random.normal(FACTORS) / np.sqrt(1.0 + np.arange(FACTORS))
        noise = random.normal(classes)
        y[i] = np.argmax(latent[:classes] * np.sqrt(1.0 + np.arange(classes)) + 0.5 * noise)
        value = 0.3 * random.normal(FEATURES)
        for f in range(FACTORS):
            value += latent[f] * mixing[f]
        x[i] = np.maximum(value, 0.0)
    return x, y


def standardise(x):
    deviation = x.std(axis=0, dtype=np.float64)
    deviation = np.maximum(deviation, 1e-3 * deviation.mean())
    return (x - x.mean(axis=0, dtype=np.float64)) / deviation


def objective(model, x, y, strength):
    """Sum of log-losses + strength/2 · |w|², in float64 on float64 features."""
    w, b = model.coef_.astype(float), model.intercept_.astype(float)
    z = x @ w.T + b
    if len(w) == 1:
        loss = np.logaddexp(0.0, z[:, 0]) - y * z[:, 0]
    else:
        loss = np.logaddexp.reduce(z, axis=1) - z[np.arange(len(y)), y]
    return loss.sum() + 0.5 * strength * (w**2).sum()


def main():
    program, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    print(f"scikit-learn {sklearn.__version__}, numpy {np.__version__}, {rounds} rounds")
    data = {}
    for name, classes in (("c2", 2), ("c5", 5)):
        x, y = problem(2000, classes, 1)
        exact = standardise(x)
        best = LogisticRegression(C=0.01, tol=1e-10, max_iter=100000).fit(exact, y)
        best = objective(best, exact, y, 100.0)
        data[name] = (exact, exact.astype(np.float32), y, best)
        print(f"{name}: class counts {np.bincount(y)}, least objective {best:.9f}")

    times, outcomes = {}, {}

    def note(who, name, seconds, outcome):
        times.setdefault((who, name), []).append(seconds)
        outcomes[who, name] = outcome

    for _ in range(rounds):
        out = subprocess.run([program, "1"], capture_output=True, text=True, check=True).stdout
        for line in out.splitlines():
            name, seconds, outcome = re.match(r"(\S+) (\S+) # (.*)", line).groups()
            note("graft", name, float(seconds), outcome)
        for c, (exact, x, y, _) in data.items():
            for tolerance in ("1e-4", "1e-5", "1e-6"):
                model = LogisticRegression(C=0.01, tol=float(tolerance), max_iter=10000)
                start = time.perf_counter()
                model.fit(x, y)
                seconds = time.perf_counter() - start
                reached = f"objective {objective(model, exact, y, 100.0):.9f} passes {model.n_iter_}"
                note("sklearn", f"fit-{c}-{tolerance}", seconds, reached)
            model = LogisticRegressionCV(
                Cs=10.0 ** -np.arange(4.0, -4.0, -1.0), cv=5, tol=1e-4, max_iter=10000
            )
            start = time.perf_counter()
            model.fit(x, y)
            note("sklearn", f"path-{c}", time.perf_counter() - start, f"chose C {model.C_}")

    for who, name in outcomes:
        outcome = outcomes[who, name]
        if found := re.match(r"objective (\S+)", outcome):
            least = data[name.split("-")[1]][3]
            outcome += f" ({float(found[1]) / least - 1:.1e} above the least)"
        print(f"{who:8} {name:12} {np.median(times[who, name]):9.4f} s  {outcome}")
    for who, name in times:
        if who == "sklearn":
            ratio = np.median(times["graft", name]) / np.median(times["sklearn", name])
            print(f"ratio    {name:12} {ratio:9.3f}")


main()
