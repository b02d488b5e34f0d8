package task

import (
	"slices"

	"github.com/millrace/millrace/windowing"
)

// quiet says whether a source partition is idle. That is proved, not guessed:
// the end of the partition, asked afresh, was the task's own position, with
// nothing waiting, for as long as the source's rule says. A partition that is
// slow, paused or behind is never idle.
type quiet struct {
	since int64 // wall clock, ms; 0 if it is not known to be at its end
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
	since, until int64 // wall clock, ms; 0 before the first tick
}

func (in *input) listen(now int64) {
	s := &in.silence
	if s.until = now; s.since == 0 || in.queued > 0 || in.position != s.position {
		s.since, s.position = now, in.position
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

// AtEnd tells the task where an input ended at the wall clock now (ms since
// epoch): its high watermark, asked then, and since the last record was
// processed. What the answer proves is that nothing had come until now; so far,
// and no further, the time of an idle partition follows the clock, if the
// source's rule says so.
func (t *Task) AtEnd(index int, end, now int64) (err error) {
	defer t.caught(&err)
	in := t.inputs[index]
	in.hold.end, in.hold.asked = end, true
	q, after := &in.quiet, in.node.Watermarks.IdleAfter()
	if after == 0 || !t.WantsEnd(index) || in.position < end && !t.cfg.Planted.IdleByTimer {
		if q.wake() {
			return t.sweep(false)
		}
		return nil
	}
	if q.since == 0 {
		q.since = now
	}
	if now-q.since < after.Milliseconds() {
		return nil
	}
	was := in.time()
	q.idle = true
	t.followClock(in, now)
	is := in.time()
	if is == was {
		return nil
	}
	if is.Idle {
		t.renewIdle(now)
	}
	return t.sweep(false)
}

// followClock moves the time of an idle input along to the wall clock now.
// Somebody who is told of it is told by the next commit, also behind what waits
// for that.
func (t *Task) followClock(in *input, now int64) {
	behind, follows := in.node.Watermarks.FollowsClock()
	if follows && in.channel.Advance(windowing.EventTime(now-behind.Milliseconds())) {
		t.moved = t.moved || t.tells()
	}
}

// Tick tells the task the wall clock (ms since epoch) while nothing happens:
// upstream tasks that were idle and have not been heard of hold again, and idle
// leases of its own are renewed by the next commit.
func (t *Task) Tick(now int64) (err error) {
	defer t.caught(&err)
	t.env.Wall = now
	moved, idle := false, false
	for _, in := range t.inputs {
		if in.edge != nil && in.edge.expires(now) {
			moved = in.edge.merge(now) || moved
		}
		in.listen(now)
		idle = idle || in.time().Idle
	}
	if idle && now-t.told >= idleRenewal {
		t.renewIdle(now)
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

// renewIdle has the next commit tell the readers of repartition topics that the
// task is idle, also behind what waits for that commit.
func (t *Task) renewIdle(now int64) {
	t.told, t.renew = now, len(t.cfg.Subtopology.Feeds) > 0
}

// tells says that somebody is told the time by the task.
func (t *Task) tells() bool {
	return slices.ContainsFunc(t.clocked, func(i int) bool { return t.nodes[i].inst.Teller != nil })
}
