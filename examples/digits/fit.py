#!/usr/bin/env python3
"""Fit a support vector machine to scikit-learn's handwritten digits, and score it on the quarter that it has not seen."""

from __future__ import annotations

import argparse
import json
import os

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC


def positive(text: str) -> float:
    number = float(text)
    if number <= 0:
        raise ValueError(text)
    return number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--C", type=positive, required=True, help="what an error costs")
    parser.add_argument("--gamma", type=positive, required=True, help="how near is near")
    parser.add_argument("--seed", type=int, required=True, help="which quarter is not seen")
    chosen = parser.parse_args()  # a value that cannot be: exit code 2, and another attempt would not help

    images, digits = load_digits(return_X_y=True)
    seen, unseen, seen_digits, unseen_digits = train_test_split(
        images, digits, test_size=0.25, stratify=digits, random_state=chosen.seed
    )
    machine = SVC(C=chosen.C, gamma=chosen.gamma).fit(seen, seen_digits)
    score = machine.score(unseen, unseen_digits)

    print(f"C={chosen.C:g} gamma={chosen.gamma:g} seed={chosen.seed}: {score:.4f}")
    # What a program writes here is kept as the result of its task; without minionize there is no such file.
    with open(os.environ.get("MINION_RESULT_FILE", os.devnull), "w") as file:
        json.dump({"score": score, "support_vectors": int(machine.n_support_.sum())}, file)


if __name__ == "__main__":
    main()
