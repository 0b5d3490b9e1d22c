#!/usr/bin/env python3
"""Estimate pi: throw points at a square, and count those that hit the circle."""

from __future__ import annotations

import argparse
import json
import os
import random

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--points", type=int, required=True)
parser.add_argument("--seed", type=int, required=True)
chosen = parser.parse_args()

draw = random.Random(chosen.seed).random
hits = sum(draw() ** 2 + draw() ** 2 < 1 for _ in range(chosen.points))
estimate = 4 * hits / chosen.points

print(f"{chosen.points} points, seed {chosen.seed}, pi = {estimate:.4f}")
with open(os.environ.get("MINION_RESULT_FILE", os.devnull), "w") as file:
    json.dump(estimate, file)
