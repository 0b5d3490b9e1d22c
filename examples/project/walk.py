#!/usr/bin/env python3
"""How far does a random walk come? Prints the distance, and leaves it as the task's result."""

import argparse
import os
import random
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, required=True)
parser.add_argument("--seed", type=int, required=True)
given = parser.parse_args()
if given.steps < 1:
    print(f"a walk of {given.steps} steps is none", file=sys.stderr)
    sys.exit(64)  # no second attempt will change that

dice = random.Random(given.seed)
x = y = 0
for _ in range(given.steps):
    dx, dy = dice.choice(((1, 0), (-1, 0), (0, 1), (0, -1)))
    x, y = x + dx, y + dy

distance = (x * x + y * y) ** 0.5
print(f"seed {given.seed}: {given.steps} steps, {distance:.1f} away")
if path := os.environ.get("MINION_RESULT_FILE"):
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'{{"distance": {distance:.1f}}}')
