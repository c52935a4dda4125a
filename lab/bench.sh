#!/usr/bin/env bash
# bench.sh: print how fast the bot is and how much memory it takes. Nothing is compared by a test: read the figures.
#
#   bench.sh [TIMES]     how many samples of each slow measurement (default 10)
set -euo pipefail
cd "$(dirname "$0")/.."
times=${1:-10}
# run PACKAGE PATTERN BENCHTIME: benchmarks one package and drops go's frame.
run() { go test "./internal/$1" -run '^$' -bench "$2" -benchtime "$3" -benchmem | grep -E '^Benchmark|^cpu:|^--- FAIL|^panic'; }

echo "# envelope to ack, simulated workspace"
run slack 'Ack' 2000x
run slack/link 'Ack' 2000x
echo "# webhook to thread, click to updated card, resident memory of the real binary"
run e2e '.' "${times}x"
echo "# compiling the operator's runbook; making the plan of a cause with its digest"
run runbook '.' 200x
echo "# diagnosis of a cluster, and a whole sweep of it over HTTP"
run diagnosis '.' 20x
echo "# whole diagnosis of one failed connector: on the lab (when it is up); with PostgreSQL, Cassandra and Vault hanging"
run app 'Diagnosis' 5x
echo "# one poll of the watcher kept; a chart; the difference of two tables"
run history '.' 20x
run chart '.' 20x
run drift '.' 200x
echo "# decisions; appending to a timeline"
run approval 'Decide' 200x
echo "# a thousand people press Approve at once: how long each waits"
run approval 'Crowd' 20x
run timeline 'Append' 200x
echo "# 100,000 events in each format, with the heap in use at most"
run timeline 'Export' 2x
