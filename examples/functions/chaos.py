"""Is the logistic map x -> r x (1 - x) chaotic? Its Lyapunov exponent tells: above zero, it is."""

from math import log

from minionize import Dead, minionize


@minionize
def exponent(r, x=0.3, steps=20000):
    if not 0 < r <= 4:
        raise Dead(f"x leaves the unit interval with r = {r}")
    total = 0.0
    for _ in range(steps):
        x = r * x * (1 - x)
        total += log(abs(r * (1 - 2 * x)) or 1e-300)
    return {"exponent": round(total / steps, 3), "chaotic": total > 0}


if __name__ == "__main__":
    raise SystemExit(exponent.run())
