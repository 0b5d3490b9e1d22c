#!/bin/bash
#OAR -n decay
#OAR -l core=1,walltime=1:0:0
#OAR -t besteffort
#OAR -t idempotent
#OAR --checkpoint 60
#OAR --signal 12

# oarsub --array 10 -S ./oar.sh

PATH=$HOME/minions/bin:$PATH      # the virtual environment that has minionize
exec minionize ./simulate.sh {seed} {alpha}
