package compare

import (
	"fmt"
	"slices"
	"strings"
)

// Layouts: who runs on which core.
const (
	// Pinned has the broker on the first core and the contender, with one thread,
	// on the second.
	Pinned = "pinned"
	// Shared has both on all cores, and the contender with two threads.
	Shared = "shared"
)

// A Selection is the part of the table that is asked for. Empty lists mean all, but
// for the loads of the scale curves. The name of a load stands for all that begin with
// it and a dash.
type Selection struct {
	Loads, Layouts, Peers []string
	// Reps is the number of runs of each entry.
	Reps int
	// All takes the extra entries in.
	All bool
	// Fresh repeats what the history has already.
	Fresh bool
	// Records bounds the size of every input, for trials; 0: as the catalog says.
	Records int64
	// Seed of the inputs.
	Seed uint64
	// Commit is the version under test.
	Commit string
}

// Validate complains about names that do not exist, all at once.
func (s Selection) Validate() error {
	var wrong []string
	unknown := func(what string, asked, have []string) {
		for _, name := range asked {
			if !slices.Contains(have, name) {
				wrong = append(wrong, fmt.Sprintf("no %s %q (one of %s)", what, name, strings.Join(have, ", ")))
			}
		}
	}
	unknown("workload", s.unknownLoads(), loadNames())
	unknown("layout", s.Layouts, []string{Pinned, Shared})
	unknown("peer", s.Peers, Peers())
	if s.Reps < 1 || s.Records < 0 {
		wrong = append(wrong, fmt.Sprintf("%d repetitions of %d records", s.Reps, s.Records))
	}
	if len(wrong) > 0 {
		return fmt.Errorf("compare: there is %s", strings.Join(wrong, "; "))
	}
	return nil
}

func (s Selection) unknownLoads() (names []string) {
	for _, name := range s.Loads {
		if !slices.ContainsFunc(Loads(), func(l Load) bool { return l.is(name) }) {
			names = append(names, name)
		}
	}
	return names
}

// is reports whether a name stands for the load.
func (l Load) is(name string) bool { return l.Name == name || strings.HasPrefix(l.Name, name+"-") }

func loadNames() (names []string) {
	for _, l := range Loads() {
		names = append(names, l.Name)
	}
	return names
}

// A Step is one run to be made.
type Step struct {
	Load   Load
	Entry  Entry
	Layout string
}

// A Row is what runs must have in common to be repetitions of one another.
type Row struct {
	Commit   string `json:"commit"`
	Load     string `json:"load"`
	Layout   string `json:"layout"`
	Peer     string `json:"peer"`
	Config   string `json:"config,omitempty"`
	CommitMS int    `json:"commit_ms"`
	Records  int64  `json:"records"`
	Seed     uint64 `json:"seed"`
}

// Row of a step in a selection.
func (s Selection) Row(step Step) Row {
	e := step.Entry
	return Row{
		Commit: s.Commit, Load: step.Load.Name, Layout: step.Layout, Peer: e.Peer, Config: e.Config, CommitMS: e.CommitMS,
		Records: s.records(e), Seed: s.Seed,
	}
}

func (s Selection) records(e Entry) int64 {
	if s.Records > 0 {
		return min(s.Records, e.Records)
	}
	return e.Records
}

// Entries of the selection, load by load and layout by layout, each once.
func (s Selection) Entries() (steps []Step) {
	wanted := func(asked []string, name string) bool { return len(asked) == 0 || slices.Contains(asked, name) }
	for _, load := range Loads() {
		if !slices.ContainsFunc(s.Loads, load.is) && (len(s.Loads) > 0 || load.Scale != "") {
			continue
		}
		for _, layout := range []string{Pinned, Shared} {
			if !wanted(s.Layouts, layout) || load.Layout != "" && load.Layout != layout {
				continue
			}
			for _, e := range load.Entries {
				if wanted(s.Peers, e.Peer) && (s.All || !e.Extra) {
					steps = append(steps, Step{Load: load, Entry: e, Layout: layout})
				}
			}
		}
	}
	return steps
}

// Plan lists the runs that are missing in the history. The entries of one load and
// layout take turns, and each round begins with another one, so that what changes
// on the machine meanwhile meets all alike.
func (s Selection) Plan(history []Result) (plan []Step) {
	had := make(map[Row]int)
	if !s.Fresh {
		for _, r := range history {
			if r.Passed() {
				had[r.Row]++
			}
		}
	}
	for _, group := range groups(s.Entries()) {
		for round := range s.Reps {
			for i := range group {
				step := group[(i+round)%len(group)]
				if row := s.Row(step); had[row] > 0 {
					had[row]--
				} else {
					plan = append(plan, step)
				}
			}
		}
	}
	return plan
}

// groups splits steps where load or layout changes.
func groups(steps []Step) (all [][]Step) {
	for i, step := range steps {
		if i == 0 || step.Load.Name != steps[i-1].Load.Name || step.Layout != steps[i-1].Layout {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], step)
	}
	return all
}
