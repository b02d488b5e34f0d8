package task

import (
	"slices"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/state"
)

// A CatchUp makes a task bring up what was away while another version of the
// application went on without it: stores, and repartition topics that were not
// written. The task runs the operators that own these, and what is before and
// after them, from where they stopped to where all the others are.
//
// Example: store n stopped at offset 10, the others are at 15. The operators around
// n run over 10 to 14 as if they had been there, and what they send is sent, for
// nobody has sent it.
//
// Always: the offsets that are committed meanwhile are those of the task itself,
// Held, unchanged. How far the stores have come is in their own positions, and in
// the notes on their topics.
type CatchUp struct {
	Topics []uint64      // NoteTopic of the changelogs and repartition topics
	Held   []state.Input // one for each input
	// Before are the operators that were there all the time: what they count and
	// what they route was counted and routed before, and so was each record that
	// fails in them. One that fails behind them is counted at its source and is news.
	Before []graph.NodeID
}

// catching reports whether the input is read on behalf of a CatchUp. Its end is
// no end of the input: nothing fires for it.
func (in *input) catching() bool { return in.goal != nil }

// caughtUp reports whether everything was read that the others have read.
func (t *Task) caughtUp() bool {
	return t.cfg.CatchUp != nil && !slices.ContainsFunc(t.inputs, func(in *input) bool { return !in.atEnd() })
}

// CaughtUp reports whether the stores of a CatchUp are where the others are, and
// Kafka has it: the task may be replaced by one of all operators.
func (t *Task) CaughtUp() bool { return t.cfg.CatchUp != nil && t.done && len(t.pending) == 0 }

// stay makes a commit say where the task itself is, and where that is which is
// brought up.
func (t *Task) stay(c *Commit) {
	c.Reached, c.Offsets = c.Offsets, t.cfg.CatchUp.Held
	if c.last {
		c.Reached = c.Offsets
	}
	for _, id := range t.cfg.CatchUp.Before {
		c.Counters[id] = graph.Counters{}
	}
	for _, in := range t.inputs {
		c.Counters[in.node.ID], in.news = in.news, graph.Counters{}
	}
}

// notes are those of an input for a commit in which a CatchUp has come so far in
// it.
func (u *CatchUp) notes(notes []Note, reached state.Input, last bool) []Note {
	if last {
		reached.Offset = Following
	}
	notes = slices.Clone(notes)
	for i := range notes {
		if n := &notes[i]; slices.Contains(u.Topics, n.Topic) {
			n.Stopped, n.Watermark, n.Highest = reached.Offset, reached.Watermark, reached.Highest
		}
	}
	return notes
}

// toldBefore reports whether what a node says of the current record was said
// before, by the version that went on. Of an unknown node it was not.
func (t *Task) toldBefore(node *graph.Node) bool {
	u := t.cfg.CatchUp
	return u != nil && node != nil && slices.Contains(u.Before, node.ID)
}
