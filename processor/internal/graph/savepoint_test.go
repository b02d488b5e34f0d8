package graph

import (
	"slices"
	"testing"
)

// marked notes what is asked of it.
type marked struct{ calls []string }

func (m *marked) Mark() { m.calls = append(m.calls, "mark") }
func (m *marked) Undo() { m.calls = append(m.calls, "undo") }
func (m *marked) Keep() { m.calls = append(m.calls, "keep") }

// TestASavepointIsOfTheNodesThatAreTouched, and of each once.
func TestASavepointIsOfTheNodesThatAreTouched(t *testing.T) {
	e := NewEnv(nil)
	e.Counters, e.Policy = make([]Counters, 3), &ErrorPolicy{}
	nodes, undo := []*Node{{ID: 0}, {ID: 1}, {ID: 2}}, []*marked{{}, {}, {}}
	e.Remember(nodes[1], undo[1])
	e.Remember(nodes[2], undo[2])
	e.CountersOf(nodes[1]).In = 7 // outside of a record
	record := func(end func()) {
		e.Mark()
		e.CountersOf(nodes[0]).In++
		e.CountersOf(nodes[1]).In++
		e.Drop(nodes[1], Future)
		e.DropLate(nodes[1], 1000)
		e.DropLate(nodes[1], 2000)
		end()
	}
	record(e.Keep)
	for _, want := range []Counters{e.Counters[0], e.Counters[1]} {
		if want.In == 0 {
			t.Errorf("what was kept is lost: %+v", e.Counters)
		}
	}
	before := slices.Clone(e.Counters)
	record(e.Undo)
	if !slices.Equal(e.Counters, before) {
		t.Errorf("%+v, want %+v", e.Counters, before)
	}
	if want := []string{"mark", "keep", "mark", "undo"}; !slices.Equal(undo[1].calls, want) {
		t.Errorf("%v, want %v", undo[1].calls, want)
	}
	if len(undo[2].calls) > 0 {
		t.Errorf("a node that no record came to: %v", undo[2].calls)
	}
}
