#!/bin/bash
#SBATCH --job-name=decay
#SBATCH --array=0-3               # four minions; --array=0-99%10: a hundred, ten at a time
#SBATCH --time=1:00:00
#SBATCH --signal=B:USR1@60        # a minute before the end: take no more, finish what runs
#SBATCH --requeue                 # begin again after a preemption, or when a node is lost
#SBATCH --output=decay-%A_%a.out

PATH=$HOME/minions/bin:$PATH      # the virtual environment that has minionize
exec minionize ./simulate.sh {seed} {alpha}
