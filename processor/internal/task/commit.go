package task

import (
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/invariant"
	"github.com/millrace/millrace/processor/internal/planted"
	"github.com/millrace/millrace/state"
)

// A Commit is what a task wants committed in one transaction. Everything in it
// belongs to the task and is valid, and not changed, until its Committed or until
// the task is replaced.
type Commit struct {
	Outputs  []graph.Out
	Entries  []state.Entry    // changelog records
	Offsets  []state.Input    // to be committed: the processed positions and watermarks of all inputs
	Reached  []state.Input    // where the stores are: as Offsets, but for a CatchUp
	Metadata []string         // for the offset commit of each of Offsets
	Failed   []Failed         // what Metadata says of them
	Formats  [][]FormatNote   // what Metadata says of them
	Records  int              // processed in it
	Counters []graph.Counters // what each node has seen, by NodeID

	parcel graph.Parcel
	last   bool // of a bounded run
}

// Dirty says that there is something to commit.
func (t *Task) Dirty() bool {
	return t.moved || t.renew || len(t.outbox.Outs()) > 0 || ((t.ended || t.caughtUp()) && !t.sealed) ||
		(t.cfg.Stores != nil && t.cfg.Stores.DirtyBytes() > 0) || t.owes()
}

// owes says that a reader of a repartition topic does not know the time yet.
func (t *Task) owes() bool {
	for _, i := range t.clocked {
		if teller := t.nodes[i].inst.Teller; teller != nil && teller.Owes() {
			return true
		}
	}
	return false
}

// tell sends the time to the readers of repartition topics that do not know it.
func (t *Task) tell() error {
	for _, i := range t.clocked {
		n := &t.nodes[i]
		if n.inst.Teller == nil {
			continue
		}
		if err := n.inst.Teller.Tell(t.renew); err != nil {
			return t.fired(n, err)
		}
	}
	t.renew = false
	return nil
}

// Weight returns the records processed since the last Prepare and the bytes that
// wait for the next, outputs and state together. The worker commits early when they
// reach its caps.
func (t *Task) Weight() (records, bytes int) {
	bytes = t.outbox.Bytes()
	if t.cfg.Stores != nil {
		bytes += t.cfg.Stores.DirtyBytes()
	}
	return t.processed, bytes
}

// Prepare lets the operators emit what they hold back until a commit, and takes
// everything since the last Prepare into a commit. The task may go on while that
// is brought into Kafka; up to state.PendingCommits may be pending, and Kafka has
// to take them in their order. If it fails, the task cannot go on; the caller
// aborts.
func (t *Task) Prepare() (c *Commit, err error) {
	defer t.caught(&err)
	if err := t.sweep(true); err != nil {
		return nil, err
	}
	if err := t.tell(); err != nil {
		return nil, err
	}
	c = &Commit{Records: t.processed, Counters: slices.Clone(t.counters), last: t.ended || t.caughtUp()}
	for _, in := range t.inputs {
		stored := in.stored()
		if planted.On {
			t.cfg.Planted.forget(&stored)
		}
		c.Offsets = append(c.Offsets, stored)
	}
	c.Reached = c.Offsets
	if invariant.Enabled {
		t.mustGoOn(c)
	}
	if t.cfg.CatchUp != nil {
		t.stay(c)
	}
	for i, in := range t.inputs {
		m := t.meta(in, c, i)
		c.Metadata, c.Failed, c.Formats = append(c.Metadata, EncodeMeta(m)), append(c.Failed, in.Failed.clone()), append(c.Formats, m.Formats)
	}
	if t.cfg.Stores != nil {
		if c.Entries, err = t.cfg.Stores.Prepare(c.Reached, t.cfg.Run); err != nil {
			return nil, fmt.Errorf("task %s: encode state: %w", t.cfg.ID, err)
		}
		if planted.On {
			t.cfg.Planted.reopen(c.Entries)
		}
	}
	c.parcel = t.outbox.Take()
	c.Outputs = c.parcel.Outs
	t.moved, t.processed, t.sealed = false, 0, c.last
	clear(t.counters)
	t.pending = append(t.pending, c)
	return c, nil
}

func (t *Task) meta(in *input, c *Commit, index int) Meta {
	stored := c.Offsets[index]
	if in.edge != nil && !away(in.Notes) { // what is away will be brought up by older records
		in.formats.forget(in.edge.mayHold)
	}
	m := Meta{Watermark: stored.Watermark, Highest: stored.Highest, TopicID: rawID(stored.TopicID), Notes: in.Notes, Failed: in.Failed, Run: t.cfg.Run, Upstream: stored.Upstream, Formats: in.formats.notes()}
	if u := t.cfg.CatchUp; u != nil {
		m.Notes = u.notes(in.Notes, c.Reached[index], c.last)
	}
	if t.cfg.Run != "" {
		m.End, m.LogicalNow, m.Finished = in.End, t.cfg.LogicalNow, t.ended
	}
	return m
}

// rawID is a topic id, which is hex text elsewhere, as the metadata has it; empty
// if it is none.
func rawID(text string) string {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != TopicIDSize {
		return ""
	}
	return string(b)
}

// Committed is called once Kafka has the oldest pending commit. It applies the
// state and its position in one write; changelogNext holds, for each store, the
// changelog offset behind the last entry written, or -1.
func (t *Task) Committed(changelogNext []int64, wallMillis int64) error {
	if len(t.pending) == 0 {
		return fmt.Errorf("task %s: Committed without Prepare", t.cfg.ID)
	}
	if err := t.tellCommitted(); err != nil {
		return err
	}
	if t.cfg.Stores != nil {
		if err := t.cfg.Stores.Apply(changelogNext, wallMillis); err != nil {
			return fmt.Errorf("task %s: apply committed state: %w", t.cfg.ID, err)
		}
	}
	c := t.pending[0]
	if invariant.Enabled && t.cfg.Stores != nil {
		t.mustStandAt(c)
	}
	t.pending = slices.Delete(t.pending, 0, 1)
	t.done = t.done || c.last
	t.outbox.GiveBack(c.parcel)
	return nil
}

// tellCommitted calls what the nodes have to do after a commit. It comes before the
// state is applied: Kafka has the commit, whatever becomes of that.
func (t *Task) tellCommitted() (err error) {
	defer t.caught(&err)
	for i := range t.nodes {
		if after := t.nodes[i].inst.AfterCommit; after != nil {
			after()
		}
	}
	return nil
}

// Aborted is called when the task is thrown away: what was not answered by
// Committed is undone. Nothing else is called afterwards but what only looks.
func (t *Task) Aborted() {
	for i := range t.nodes {
		if after := t.nodes[i].inst.AfterAbort; after != nil {
			after()
		}
	}
}

// Finished says that a bounded task has reached the end of every input, fired
// everything that was open, and committed it.
func (t *Task) Finished() bool { return t.done && t.cfg.CatchUp == nil }
