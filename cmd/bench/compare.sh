#!/usr/bin/env bash
# compare.sh OLD COUNT PACKAGE RUN runs the benchmarks of a package at a commit
# and in this tree, in turns, so that a machine that slows down slows both, and
# compares them by benchstat.
set -euo pipefail
cd "$(git rev-parse --show-toplevel)"

old=$1 count=$2 package=$3 run=$4
benchstat=golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

there=$(mktemp -d)
trap 'git worktree remove --force "$there" >/dev/null 2>&1 || true' EXIT
git worktree add --detach --force "$there" "$old" >/dev/null
mkdir -p .cache/bench
: >.cache/bench/old.txt
: >.cache/bench/new.txt
(cd "$there" && go test -c -o bench.test "$package")
go test -c -o .cache/bench/bench.test "$package"
for _ in $(seq "$count"); do
	(cd "$there/$package" && "$there/bench.test" -test.run '^$' -test.bench "$run" -test.benchmem) >>.cache/bench/old.txt
	(cd "$package" && "$OLDPWD/.cache/bench/bench.test" -test.run '^$' -test.bench "$run" -test.benchmem) >>.cache/bench/new.txt
done
go run "$benchstat" .cache/bench/old.txt .cache/bench/new.txt
