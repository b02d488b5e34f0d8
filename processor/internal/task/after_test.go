package task_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/millrace/millrace/processor/internal/graph"
)

// noting adds a node that notes when it is called, and by what.
func (m *meeting) noting(name string, calls *[]string) {
	m.Add(graph.Node{
		Name: name, Kind: graph.OperatorNode,
		Instantiate: func(*graph.Env, *graph.Node, [][]any) (graph.Instance, error) {
			prepared := 0
			note := func(what string) { *calls = append(*calls, name+" "+what) }
			return graph.Instance{
				Receive: graph.One(func(*words) error { return nil }),
				Commit: func() error {
					prepared++
					note("prepares " + strconv.Itoa(prepared))
					return nil
				},
				AfterCommit: func() { note("committed") },
				AfterAbort:  func() { note("aborted") },
			}, nil
		},
	}, m.words)
}

// TestNodesHearWhatBecameOfTheirCommits: of each that is in Kafka, in their order,
// and of those behind it that the task is thrown away.
func TestNodesHearWhatBecameOfTheirCommits(t *testing.T) {
	var calls []string
	m := newMeeting()
	m.noting("a", &calls)
	m.noting("b", &calls)
	m.meet(m.words, m.numbers.Into(1))
	x, err := m.task(t)
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(2) {
		feed(t, x, 0, messages(i, "v"))
		step(t, x)
		prepare(t, x)
	}
	if err := x.Committed(nil, 1); err != nil {
		t.Fatal(err)
	}
	x.Aborted()
	want := "a prepares 1, b prepares 1, a prepares 2, b prepares 2, a committed, b committed, a aborted, b aborted"
	if !slices.Equal(calls, strings.Split(want, ", ")) {
		t.Errorf("%q, want %s", calls, want)
	}
}
