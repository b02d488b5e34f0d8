package task

import (
	"fmt"
	"slices"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// idleLease is how long an upstream task that said it is idle is believed
// without saying so again, in ms of Task.Elapse: after that it holds the others back, for it
// may have died and be working elsewhere. Upstream tasks renew it three times
// as often.
const (
	idleLease   = 15_000
	idleRenewal = idleLease / 3
)

// An edge is what an input that reads a repartition topic knows of the tasks
// that write it. Each of them is a channel of its own.
//
// Always: the time of the edge moves to the lowest over the upstream tasks, and
// not before every one of them has been heard. No channel goes back, nor does
// the edge: not when one that was idle, and left out, is there again.
type edge struct {
	run      string // the bounded run; what tasks of another say of its end does not count
	catching bool   // of a CatchUp: nobody is left out, for who was idle when the records were written may have been there for others by the time they were read
	channels []channel
	time     graph.Time
}

// A channel is what one upstream task last said.
type channel struct {
	watermark windowing.EventTime
	heard     bool // since the task was built, or before it was
	ended     bool
	idleUntil int64            // see Task.Elapse; 0 if it is not idle
	format    graph.FormatHash // of what it last sent; 0 before
}

func (c *channel) time() graph.Time {
	return graph.Time{Watermark: c.watermark, Idle: c.idleUntil > 0, Ended: c.ended}
}

func newEdge(run string, watermark windowing.EventTime, restored []state.Upstream) *edge {
	e := &edge{run: run, time: graph.Time{Watermark: watermark}}
	for _, u := range restored {
		e.channels = append(e.channels, channel{watermark: windowing.EventTime(u.Watermark), ended: u.Ended, heard: u.Ended || u.Watermark > int64(windowing.NoTime)})
	}
	e.merge(0)
	return e
}

// take notes what a record says of its sender's time. It reports whether the
// time of the edge may have moved.
func (e *edge) take(s *graph.Stamp, now int64) bool {
	resized := int(s.Tasks) != len(e.channels)
	if resized {
		e.resize(int(s.Tasks))
	}
	c := &e.channels[s.Task]
	idleUntil := int64(0)
	if s.Passed.Idle && !e.catching {
		idleUntil = now + idleLease
	}
	ended := s.Passed.Ended && string(s.Run) == e.run
	lowest := c.watermark <= e.time.Watermark
	same := (idleUntil > 0) == (c.idleUntil > 0) && ended == c.ended
	moved := s.Passed.Watermark > c.watermark
	c.watermark = max(c.watermark, s.Passed.Watermark)
	c.idleUntil, c.ended, c.heard, c.format = idleUntil, ended, true, s.Format
	if !resized && same && !(moved && lowest) {
		return false
	}
	return e.merge(now)
}

// resize opens the hold again: another number of upstream tasks are others. The
// time is to be merged anew: those that are gone hold nothing back any more.
func (e *edge) resize(tasks int) {
	channels := make([]channel, tasks)
	for i := range channels {
		channels[i].watermark = windowing.NoTime
	}
	copy(channels, e.channels)
	e.channels = channels
}

// merge computes the time of the edge anew: leases that are over at now hold
// again. It reports whether the time has moved.
func (e *edge) merge(now int64) bool {
	before := e.time
	m := newMerger()
	for i := range e.channels {
		c := &e.channels[i]
		if c.idleUntil > 0 && c.idleUntil <= now {
			c.idleUntil = 0
		}
		m.add(c.time())
	}
	e.time = m.time()
	e.time.Watermark = max(e.time.Watermark, before.Watermark)
	return e.time != before
}

// mayHold reports whether records of a format may still be to come: those of an
// upstream task that has last written in it, or was not heard since the task was built.
func (e *edge) mayHold(hash graph.FormatHash) bool {
	return len(e.channels) == 0 || slices.ContainsFunc(e.channels, func(c channel) bool { return c.format == 0 || c.format == hash })
}

// expires says that a lease is over at now.
func (e *edge) expires(now int64) bool {
	for i := range e.channels {
		if until := e.channels[i].idleUntil; until > 0 && until <= now {
			return true
		}
	}
	return false
}

// upstream is what has to survive of an edge.
func (e *edge) upstream() []state.Upstream {
	all := make([]state.Upstream, len(e.channels))
	for i, c := range e.channels {
		all[i] = state.Upstream{Watermark: int64(c.watermark), Ended: c.ended}
	}
	return all
}

// A merger finds the time where several channels meet: the lowest watermark
// over those that are neither idle nor ended; if all are idle, or ended, the
// highest. No channel at all is no time.
type merger struct {
	lowest, highest windowing.EventTime
	active, idle    bool
	any             bool
}

func newMerger() merger { return merger{lowest: windowing.MaxTime, highest: windowing.NoTime} }

func (m *merger) add(t graph.Time) {
	m.any = true
	m.highest = max(m.highest, t.Watermark)
	switch {
	case t.Ended:
	case t.Idle:
		m.idle = true
	default:
		m.active = true
		m.lowest = min(m.lowest, t.Watermark)
	}
}

func (m *merger) time() graph.Time {
	switch {
	case !m.any:
		return graph.Time{Watermark: windowing.NoTime}
	case m.active:
		return graph.Time{Watermark: m.lowest}
	case m.idle:
		return graph.Time{Watermark: m.highest, Idle: true}
	}
	return graph.Time{Watermark: m.highest, Ended: true}
}

// processEdge takes the head of an input that reads a repartition topic
// through the graph. The record is judged by the watermark it carries; only
// then what it says of its sender's time counts.
func (t *Task) processEdge(in *input, m *graph.Message) error {
	stamp, rest, err := graph.StampOf(m.Headers)
	if err == nil {
		if why := in.formats.hear(&stamp); why != nil {
			err = fmt.Errorf("%w: %w", why, ErrFormat)
		}
	}
	if err != nil {
		return fmt.Errorf("task %s: topic %q partition %d offset %d: %w", t.cfg.ID, in.Topic, in.Partition, m.Offset, err)
	}
	t.stamp = stamp
	if !stamp.Control {
		m.Headers = rest
		if err := t.admitJudged(in, m, stamp.Record); err != nil {
			return err
		}
	}
	return t.finishEdge(in)
}

// finishEdge is finish for a record of a repartition topic.
func (t *Task) finishEdge(in *input) error {
	if !t.stamp.Control {
		t.processed++
	}
	moved := in.edge.take(&t.stamp, t.elapsed)
	t.pop(in)
	if err := t.leave(-1); err != nil {
		return fmt.Errorf("task %s: %w", t.cfg.ID, err)
	}
	if moved && len(t.clocked) > 0 {
		return t.sweep(false)
	}
	return nil
}
