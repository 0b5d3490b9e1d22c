#!/bin/sh
# Runs when the machine is switched off, also when it is preempted, which leaves 30 s: the minion gives its tasks back.
docker stop --time 20 minion || true # it may have ended by itself
