package task

import (
	"slices"

	"github.com/millrace/millrace/processor/internal/planted"
	"github.com/millrace/millrace/windowing"
)

// A Moment is when something was so, by two clocks, in ms. Wall is the wall clock
// since the epoch: event time is compared with it, and it may be set, forward and
// back. Elapsed is that of Task.Elapse: spans of time are measured by it.
type Moment struct{ Wall, Elapsed int64 }

// Elapse tells the task how much time has passed, in ms, since a moment that
// stays the same for the life of the task. That clock is never set: what the task
// waits for, believes for a while or says again is measured by it and nothing
// else.
func (t *Task) Elapse(elapsed int64) { t.elapsed = max(t.elapsed, elapsed) }

// quiet says whether a source partition is idle. That is proved, not guessed:
// the end of the partition, asked afresh, was the task's own position, with
// nothing waiting, for as long as the source's rule says. A partition that is
// slow, paused or behind is never idle.
type quiet struct {
	atEnd bool  // it is known to be at its end
	since int64 // Moment.Elapsed of the first answer that said so
	idle  bool
}

// wake ends the quiet; it reports whether the partition was idle.
func (q *quiet) wake() bool {
	was := q.idle
	*q = quiet{}
	return was
}

// A silence is how long nothing has come on a source partition, as far as ticks
// have seen. It decides nothing: it is shown.
type silence struct {
	position     int64
	since, until int64 // see Task.Elapse
	began        bool  // there was a tick
}

func (in *input) listen(elapsed int64) {
	s := &in.silence
	if s.until = elapsed; !s.began || in.queued > 0 || in.position != s.position {
		s.since, s.position, s.began = elapsed, in.position, true
	}
}

// WantsEnd says that the task needs to know where an input ends now:
// everything that came was processed, and its source has a rule for idle
// partitions, or other inputs wait for it.
func (t *Task) WantsEnd(index int) bool {
	in := t.inputs[index]
	if in.edge != nil || in.bounded || in.queued > 0 {
		return false
	}
	return in.node.Watermarks.IdleAfter() > 0 || len(t.inputs) > 1 && t.cfg.MaxIdle >= 0
}

// AtEnd tells the task where an input ended when that was asked: its high
// watermark, and since the last record was processed. What the answer proves is
// that nothing had come until then; so far, and no further, the time of an idle
// partition follows the wall clock, if the source's rule says so. How long the
// partition has been at its end is no matter of the wall clock.
func (t *Task) AtEnd(index int, end int64, asked Moment) (err error) {
	defer t.caught(&err)
	t.Elapse(asked.Elapsed)
	t.env.Wall = asked.Wall
	in := t.inputs[index]
	in.hold.end, in.hold.asked = end, true
	q, after := &in.quiet, in.node.Watermarks.IdleAfter()
	if after == 0 || !t.WantsEnd(index) || in.position < end && !(planted.On && t.cfg.Planted.IdleByTimer) {
		if q.wake() {
			return t.sweep(false)
		}
		return nil
	}
	if planted.On && t.cfg.Planted.WallSpans {
		asked.Elapsed = asked.Wall
	}
	if !q.atEnd {
		q.atEnd, q.since = true, asked.Elapsed
	}
	if asked.Elapsed-q.since < after.Milliseconds() {
		return nil
	}
	was := in.time()
	q.idle = true
	t.followClock(in, asked.Wall)
	is := in.time()
	if is == was {
		return nil
	}
	if is.Idle {
		t.renewTime()
	}
	return t.sweep(false)
}

// followClock moves the time of an idle input along to the wall clock now, which
// is event time here. Somebody who is told of it is told by the next commit, also
// behind what waits for that. A wall clock that was set back moves nothing until
// it has come there again.
func (t *Task) followClock(in *input, now int64) {
	behind, follows := in.node.Watermarks.FollowsClock()
	if follows && in.channel.Advance(windowing.EventTime(now-behind.Milliseconds())) {
		t.moved = t.moved || t.tells()
	}
}

// Tick tells the task that time passes while nothing happens; see Elapse.
// Upstream tasks that were idle and have not been heard of hold again; idle leases
// of its own, and what its readers may have forgotten, are renewed by the next
// commit.
func (t *Task) Tick(elapsed int64) (err error) {
	defer t.caught(&err)
	t.Elapse(elapsed)
	moved, idle := false, false
	for _, in := range t.inputs {
		if in.edge != nil && in.edge.expires(t.elapsed) {
			moved = in.edge.merge(t.elapsed) || moved
		}
		in.listen(t.elapsed)
		idle = idle || in.time().Idle
	}
	if idle && t.elapsed-t.told >= idleRenewal || t.tellsAgain() && t.elapsed-t.told >= forgottenRenewal {
		t.renewTime()
	}
	if !moved {
		return nil
	}
	return t.sweep(false)
}

// followsClock says that the time of the input goes on with the wall clock when
// nothing comes.
func (in *input) followsClock() bool {
	_, follows := in.node.Watermarks.FollowsClock()
	return follows
}

// forgottenRenewal is how often a task says its time again where readers may have
// forgotten it, in ms of Task.Elapse.
const forgottenRenewal = 30_000

// tellsAgain says that there are so many tasks beside this one that a reader
// without state, begun anew, may not know what they have said; see
// appendUpstreamWithin. Without a word from each it would wait: live for those
// that have nothing new to say, in a bounded run for those that have ended. So
// also they speak, as long as the run is not over.
func (t *Task) tellsAgain() bool {
	return t.env.Tasks > upstreamFits && !(planted.On && t.cfg.Planted.EdgeForgotten)
}

// renewTime has the next commit tell the readers of repartition topics the time
// of the task, also behind what waits for that commit.
func (t *Task) renewTime() {
	t.told, t.renew = t.elapsed, len(t.cfg.Subtopology.Feeds) > 0
}

// tells says that somebody is told the time by the task.
func (t *Task) tells() bool {
	return slices.ContainsFunc(t.clocked, func(i int) bool { return t.nodes[i].inst.Teller != nil })
}
