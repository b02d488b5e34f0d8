package demo

import (
	"slices"
	"testing"
)

func TestKillerIsDueOnce(t *testing.T) {
	for _, c := range []struct {
		name    string
		commits int
		step    string
		path    []string
		want    int // index in path
	}{
		{"first commit, before", 0, stepAfterFlush, steps(), 2},
		{"first commit, after", 0, stepAfterEnd, steps(), 4},
		{"first commit, at the very end", 0, stepAfterApply, steps(), 5},
		{"third commit, before", 2, stepBeforePrepare, slices.Repeat(steps(), 3), 12},
		{"third commit, after", 2, stepAfterApply, slices.Repeat(steps(), 3), 17},
		{"an aborted attempt is no commit", 1, stepBeforeFlush, slices.Concat(stepsBefore(), steps(), steps()), 11},
		{"the step does not come", 0, stepAfterOffsets, []string{stepBeforePrepare, stepAfterEnd, stepAfterApply, stepBeforePrepare}, 3},
	} {
		k := Killer{Armed: true, Commits: c.commits, Step: c.step}
		at := slices.IndexFunc(c.path, k.due)
		if at != c.want {
			t.Errorf("%s: dies at %d of %v, want %d", c.name, at, c.path, c.want)
		}
	}
	spared := Killer{}
	if at := slices.IndexFunc(slices.Repeat(steps(), 3), spared.due); at >= 0 {
		t.Errorf("dies at %d without being told to", at)
	}
}

// TestPlanLeavesRoom: however many crashes are wanted, none is planned for a
// time when nothing is left to commit, and each step has its turn.
func TestPlanLeavesRoom(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(200) {
		for _, crashes := range []int{1, 5, 20, 99, 500} {
			p := newPlan(seed)
			left := 100
			for n := crashes; n > 0; n-- {
				survive, step := p.next(left, n)
				if survive < 0 || survive >= left {
					t.Fatalf("seed %d, %d crashes: dies after %d commits of %d", seed, crashes, survive, left)
				}
				seen[step]++
				left -= survive
				if !slices.Contains(stepsBefore(), step) {
					left--
				}
			}
			if left <= 0 {
				t.Fatalf("seed %d, %d crashes: all is done before the last", seed, crashes)
			}
		}
	}
	for _, step := range steps() {
		if seen[step] == 0 {
			t.Errorf("no crash at %s", step)
		}
	}
}

func TestPlanDependsOnTheSeed(t *testing.T) {
	draw := func(seed uint64) (all []int) {
		p := newPlan(seed)
		for n := 20; n > 0; n-- {
			survive, _ := p.next(100, n)
			all = append(all, survive)
		}
		return all
	}
	if !slices.Equal(draw(7), draw(7)) || slices.Equal(draw(7), draw(8)) {
		t.Error("equal seeds must give equal plans, and different ones different plans")
	}
}
