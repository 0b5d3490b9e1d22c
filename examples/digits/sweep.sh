#!/bin/sh
# The whole sweep: 200 fits, or the points that are given:  ./sweep.sh C=1,10 gamma=0.001 seed=1..3
# Start it again after a crash, or with more points: what is done stays done.
set -eu
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- C=0.1,1,10,100 gamma=0.0001,0.0005,0.001,0.005,0.01 seed=1..10

export OMP_NUM_THREADS=1 # one thread a fit: the CPUs are filled by minionize
minion-queue put "$@"
minionize -j auto --dead-on 2 python fit.py --C {C} --gamma {gamma} --seed {seed} || [ $? -eq 1 ] # 1: some are dead
python table.py > scores.csv
