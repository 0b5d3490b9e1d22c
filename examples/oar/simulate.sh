#!/bin/sh
# Stands for a program of yours: ten steps of a decay at the rate alpha, from seed, in thousandths. It takes a moment.
seed=$1 alpha=$2
x=$((seed * 1000))
for _ in 1 2 3 4 5 6 7 8 9 10; do
    x=$((x - x * ${alpha#0.} / 10))
    sleep 0.05
done
echo "seed $seed, alpha $alpha: $x"
