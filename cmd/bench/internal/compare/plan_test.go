package compare

import (
	"slices"
	"strings"
	"testing"
)

func trial() Selection {
	return Selection{Loads: []string{"map"}, Layouts: []string{Pinned}, Reps: 2, Records: 1000, Seed: 1, Commit: "abc"}
}

func names(steps []Step) string {
	var all []string
	for _, s := range steps {
		all = append(all, strings.TrimSpace(s.Entry.Peer+" "+s.Entry.Config))
	}
	return strings.Join(all, ", ")
}

// The entries take turns, and each round begins with the next one.
func TestPlanInterleaves(t *testing.T) {
	got := names(trial().Plan(nil))
	want := "loop L2, millrace, loop L3, loop L3p, kafka-streams K2, flink F1, millrace, loop L3, loop L3p, kafka-streams K2, flink F1, loop L2"
	if got != want {
		t.Errorf("plan\n %s, want\n %s", got, want)
	}
}

// A history of the plan's first steps leaves the rest to do; runs that failed, of
// another commit, another size or another seed do not count.
func TestPlanResumes(t *testing.T) {
	sel := trial()
	all := sel.Plan(nil)
	var history []Result
	for i, step := range all {
		if left := sel.Plan(history); len(left) != len(all)-i {
			t.Errorf("%d runs made, %d of %d left", i, len(left), len(all))
		}
		history = append(history, Result{Row: sel.Row(step), Check: Pass})
	}
	if left := sel.Plan(history); left != nil {
		t.Errorf("all made, and %s left", names(left))
	}
	sel.Fresh = true
	if left := sel.Plan(history); len(left) != len(all) {
		t.Errorf("afresh, and only %d of %d", len(left), len(all))
	}
	sel.Fresh = false
	sel.Reps = 3
	if left := sel.Plan(history); len(left) != len(all)/2 {
		t.Errorf("one more repetition, and %s to do", names(left))
	}
	sel.Reps = 2
	for name, change := range map[string]func(*Result){
		"failed":  func(r *Result) { r.Check = "1 row is wrong" },
		"commit":  func(r *Result) { r.Commit = "abd" },
		"records": func(r *Result) { r.Records++ },
		"seed":    func(r *Result) { r.Seed++ },
		"layout":  func(r *Result) { r.Layout = Shared },
	} {
		other := slices.Clone(history)
		change(&other[4])
		if left := sel.Plan(other); len(left) != 1 || names(left) != "kafka-streams K2" {
			t.Errorf("%s: %q left", name, names(left))
		}
	}
}

func TestSelection(t *testing.T) {
	for _, tc := range []struct {
		change func(*Selection)
		wrong  string
		steps  int
	}{
		{func(*Selection) {}, "", 12},
		{func(s *Selection) { s.All = true }, "", 2 * 11},
		{func(s *Selection) { s.Peers = []string{Flink, Millrace} }, "", 4},
		{func(s *Selection) { s.Layouts = nil }, "", 24},
		{func(s *Selection) { s.Loads = []string{"lat5k"} }, "", 12},
		{func(s *Selection) { s.Loads = []string{"dance"} }, `no workload "dance"`, 0},
		{func(s *Selection) { s.Layouts = []string{"odd"} }, `no layout "odd"`, 0},
		{func(s *Selection) { s.Peers = []string{"storm"} }, `no peer "storm"`, 0},
		{func(s *Selection) { s.Reps = 0 }, "0 repetitions", 0},
	} {
		sel := trial()
		tc.change(&sel)
		err := sel.Validate()
		if (err != nil) != (tc.wrong != "") || err != nil && !strings.Contains(err.Error(), tc.wrong) {
			t.Errorf("error %v, want %q", err, tc.wrong)
			continue
		}
		if plan := sel.Plan(nil); err == nil && len(plan) != tc.steps {
			t.Errorf("%d steps, want %d: %s", len(plan), tc.steps, names(plan))
		}
	}
}

// The loads of the curves run only where they are asked for, each in its own layout, and
// one name can stand for many.
func TestPlanScale(t *testing.T) {
	for _, tc := range []struct {
		loads, layouts []string
		steps          int
	}{
		{nil, nil, 0},
		{[]string{"scale-keys-10k"}, nil, 1},
		{[]string{"scale-keys"}, []string{Pinned}, 6},
		{[]string{"scale-keys"}, []string{Shared}, 0},
		{[]string{"scale-workers"}, nil, 2},
		{[]string{"scale"}, nil, len(scales())},
	} {
		sel := Selection{Loads: tc.loads, Layouts: tc.layouts, Reps: 1, Seed: 1, Commit: "abc"}
		if err := sel.Validate(); err != nil {
			t.Error(err)
		}
		n := 0
		for _, step := range sel.Plan(nil) {
			if step.Load.Scale != "" {
				n++
			}
		}
		if n != tc.steps {
			t.Errorf("%s %s: %d steps, want %d", tc.loads, tc.layouts, n, tc.steps)
		}
	}
	for _, name := range []string{"scale-", "tum", "scale-keys-", ""} {
		if err := (Selection{Loads: []string{name}, Reps: 1}).Validate(); err == nil {
			t.Errorf("%q stands for a load", name)
		}
	}
}

// A contender is told what its load says.
func TestScaleFlags(t *testing.T) {
	said := func(name string) string {
		sel := Selection{Loads: []string{name}, Reps: 1}
		step := sel.Plan(nil)[0]
		return strings.Join(Tools{}.Command(Job{Step: step, In: inputOf(step.Load, sel.Row(step))}).Args, " ")
	}
	for name, want := range map[string][]string{
		"scale-windows-100":   {"--grace-ms 990000", "--workload tumblefinal", "-r5000"},
		"scale-windows-1":     {"--workload tumblefinal", "-r5000"},
		"scale-commit-20":     {"--commit-ms 20", "--threads 1"},
		"scale-workers-2":     {"--threads 2"},
		"scale-workers-1":     {"--threads 1"},
		"scale-partitions-64": {"-p64"},
		"scale-keys-zipf-1m":  {"in-k1000000-n15000000-s0-z1 "},
		"tumble":              {"in-k10000-n30000000-s0 "},
	} {
		got := said(name)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: %q is not in %q", name, w, got)
			}
		}
	}
}

// N makes inputs smaller, never larger than a slow peer can take.
func TestTrialSize(t *testing.T) {
	for n, want := range map[int64]int64{0: 3 * million, 1000: 1000, most: 3 * million} {
		sel := Selection{Loads: []string{"hop"}, Layouts: []string{Pinned}, Peers: []string{KafkaStreams}, Reps: 1, Records: n}
		if got := sel.Row(sel.Plan(nil)[0]).Records; got != want {
			t.Errorf("N=%d: %d records, want %d", n, got, want)
		}
	}
}

// What every load of the catalog must have.
func TestCatalog(t *testing.T) {
	seen := make(map[string]bool)
	for _, load := range Loads() {
		if seen[load.Name] || load.Keys < 1 || !slices.Contains([]string{"map", "tumble", "tumblefinal", "hop", "hopfinal", "session", "sessionfinal", "dedupkeys"}, load.Workload) {
			t.Errorf("load %+v", load)
		}
		seen[load.Name] = true
		best := make(map[string]int)
		rows := make(map[Row]bool)
		for _, e := range load.Entries {
			row := Selection{}.Row(Step{Load: load, Entry: e})
			if rows[row] || e.Records < 1 || e.Records > most || e.CommitMS < 1 {
				t.Errorf("%s: entry %+v", load.Name, e)
			}
			rows[row] = true
			if !e.Extra {
				best[e.Peer]++
			}
		}
		for peer, n := range best {
			if n != 1 && load.Rate == 0 && peer != Loop {
				t.Errorf("%s: %s has %d best configurations", load.Name, peer, n)
			}
		}
	}
}
