package demo

import (
	"maps"
	"slices"
	"sync"
	"testing"
)

// TestJobNamesItsSteps guards the crashes: a step the runtime does not know by
// that name would never be died at.
func TestJobNamesItsSteps(t *testing.T) {
	ctx := t.Context()
	cluster, err := openCluster(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	if err := cluster.createTopics(ctx); err != nil {
		t.Fatal(err)
	}
	log, err := openLog("")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	lines, err := cluster.load(ctx, log)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex // two commits may be on their way at once
	seen := map[string]int{}
	count := func(step string) {
		mu.Lock()
		defer mu.Unlock()
		seen[step]++
	}
	job := Job{Brokers: cluster.Brokers, StateDir: t.TempDir(), BoundedRun: "test", CommitRecords: crashCommitRecords}
	if err := job.Run(ctx, count, func(err error) { t.Log(err) }); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, slices.Sorted(slices.Values(steps()))) {
		t.Errorf("the steps are %v, not %v", got, steps())
	}
	if n := int64(seen[stepAfterEnd]); n < lines/crashCommitRecords/2 {
		t.Errorf("%d commits of %d records: too few to die in", n, lines)
	}
	if done, err := cluster.committed(ctx); err != nil || done != lines {
		t.Errorf("%d of %d committed, %v", done, lines, err)
	}
}
