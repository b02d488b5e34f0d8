package task

import (
	"fmt"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/planted"
	"github.com/millrace/millrace/windowing"
)

// Step processes up to limit waiting records, lowest time first. Event time is
// compared with the given wall clock (ms since epoch); how long the task waits is
// measured by Elapse. It returns how many it processed: fewer than
// limit when an input it has to wait for is empty.
//
// An error is of RecordScope, as Classify says: the record has had effects that
// this task cannot take back, and the answer is an abort and a new task that is
// careful from there on. If this one was careful, the new one has the record in
// Skip too. Any other error fails the task.
func (t *Task) Step(nowMillis int64, limit int) (n int, err error) {
	t.env.Wall = nowMillis
	if t.cfg.Run != "" {
		nowMillis = t.cfg.LogicalNow
	}
	for settled := true; settled && err == nil; {
		settled, err = t.stretch(nowMillis, limit, &n)
	}
	if err != nil {
		return n, err
	}
	return n, t.endCaught()
}

// stretch processes records until there is nothing to do, or user code panics.
// It reports whether that was settled as the failure of one record, which then
// is still to be finished: so a panic costs a good record nothing.
func (t *Task) stretch(now int64, limit int, n *int) (settled bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			settled, err = t.panicked(p)
		}
	}()
	if t.stage == settledStage {
		if err := t.finish(); err != nil {
			return false, err
		}
		*n++
	}
	for *n < limit {
		in := t.choose(now)
		if in == nil {
			break
		}
		if err := t.process(in, now); err != nil {
			return false, err
		}
		*n++
	}
	return false, nil
}

// A stage is how far a task is with the record it processes.
type stage uint8

const (
	noStage      stage = iota // nothing is being processed
	timeStage                 // the record tells its time and is judged
	pushStage                 // it goes down the graph
	settledStage              // it has failed and was settled; finish is to follow
)

// choose returns the input whose head comes next: the lowest running maximum of
// its channel, ties by the order of the topics. What is held back is as if it
// were not there. A bounded task waits until each input has a head or is at its
// end, so that the choice does not depend on what happened to arrive first; a
// live one waits as Config.MaxIdle says.
func (t *Task) choose(now int64) *input {
	if len(t.inputs) == 1 {
		if t.inputs[0].queued == 0 || t.inputs[0].held() {
			return nil
		}
		return t.inputs[0]
	}
	var best *input
	var bestTime windowing.EventTime
	for _, in := range t.inputs {
		if in.queued == 0 || in.held() && !(planted.On && t.cfg.Planted.HeldBlocks) {
			continue
		}
		if at := in.headTime(windowing.EventTime(now)); best == nil || at < bestTime {
			best, bestTime = in, at
		}
	}
	if best == nil || best.held() {
		return nil
	}
	for _, in := range t.inputs {
		if in.mayComeBefore(bestTime) || t.waitsFor(in) {
			return nil
		}
	}
	return best
}

// mayComeBefore says that a bounded input whose queue is empty may still give
// a record that would be chosen before one of this time. What a repartition topic
// gives is never before its watermark; see headTime.
func (in *input) mayComeBefore(at windowing.EventTime) bool {
	if in.queued > 0 || !in.bounded || in.atEnd() {
		return false
	}
	return in.edge == nil || in.edge.time.Watermark <= at
}

// headTime is the running maximum of the channel with the head counted. A head
// whose time cannot be read, or is not going to be believed, does not move it.
//
// That of a repartition topic is not below its watermark either: nobody waits for
// what is, so it comes behind what others have up to there, were it in the queue by
// then or not, and with a restart or without.
func (in *input) headTime(now windowing.EventTime) windowing.EventTime {
	at, err := in.source.Time(in.head())
	if err != nil || in.edge == nil && !in.channel.Believes(at, now) {
		return in.channel.Max()
	}
	if in.edge != nil {
		at = max(at, in.edge.time.Watermark)
	}
	return max(at, in.channel.Max())
}

// process takes the head of in through the graph. The record's own time moves
// its channel first; then it is judged, then what has become due fires.
func (t *Task) process(in *input, now int64) error {
	m := in.head()
	t.current = in
	t.context.Source = graph.Origin{Topic: in.Topic, Partition: in.Partition, Offset: m.Offset}
	t.context.Message = m
	t.stage, t.at = timeStage, nil
	if in.edge != nil {
		return t.processEdge(in, m)
	}
	t.woke = in.quiet.wake()
	if err := t.admit(in, m, windowing.EventTime(now)); err != nil {
		return err
	}
	return t.finish()
}

// finish ends the processing of the current record, whatever came of it: what it
// has left no room for leaves, then what its time has made due fires.
func (t *Task) finish() error {
	in := t.current
	if in.edge != nil {
		return t.finishEdge(in)
	}
	t.pop(in)
	t.processed++
	if len(t.holders) > 0 {
		if err := t.leave(-1); err != nil {
			return fmt.Errorf("task %s: %w", t.cfg.ID, err)
		}
	}
	if len(t.clocked) > 0 && (t.woke || in.channel.Watermark() > in.swept) {
		if planted.On && t.cfg.Planted.StampAfter {
			t.stampAfter(in.channel.Watermark())
		}
		return t.sweep(false)
	}
	return nil
}

// pop ends the processing of the head of in.
func (t *Task) pop(in *input) {
	t.context.Message, t.stage = nil, noStage
	in.pop()
	t.moved = true
}

func (t *Task) admit(in *input, m *graph.Message, now windowing.EventTime) error {
	c := &t.counters[in.node.ID]
	c.In++
	at, err := in.source.Time(m)
	switch {
	case err != nil:
		return t.failed(err, c)
	case at < 0:
		t.env.Drop(in.node, in.untimed(m, at))
		return nil
	}
	mark := windowing.NoTime
	if in.node.Watermarks.Marked() && in.channel.Believes(at, now) {
		if mark, err = in.mark(m); err != nil {
			return t.failed(err, c)
		}
		if planted.On && t.cfg.Planted.MarkerTrusted {
			now = windowing.MaxTime - 1
		}
	}
	if !in.channel.ObserveMarker(at, mark, now) {
		t.env.Drop(in.node, graph.Future)
		return nil
	}
	return t.push(in, m, at, in.channel.Watermark(), c)
}

// mark returns the watermark that a record announces, NoTime if it is no marker.
func (in *input) mark(m *graph.Message) (windowing.EventTime, error) {
	at, ok, err := in.source.Mark(m)
	if err != nil || !ok {
		return windowing.NoTime, err
	}
	return at, nil
}

// refuses reports whether a record has no value and the source takes none such.
func (in *input) refuses(m *graph.Message) bool { return m.Value == nil && !in.node.TakesNull }

// untimed is why a record without a time is dropped: it lacks the value that the
// time would be in, or the time alone.
func (in *input) untimed(m *graph.Message, at windowing.EventTime) graph.Reason {
	if at == windowing.NoTime && in.refuses(m) {
		return graph.NullValue
	}
	return graph.NoTimestamp
}

// admitJudged is admit for a record of a repartition topic: it was admitted
// upstream and carries the watermark it is judged by.
func (t *Task) admitJudged(in *input, m *graph.Message, judged windowing.EventTime) error {
	c := &t.counters[in.node.ID]
	c.In++
	at := windowing.EventTime(m.Timestamp)
	in.channel.Observe(at, windowing.MaxTime-1) // for the choice of the next record
	return t.push(in, m, at, judged, c)
}

// push sends a record down the graph, unless its source does not take it or it is
// known to fail.
func (t *Task) push(in *input, m *graph.Message, at, judged windowing.EventTime, c *graph.Counters) error {
	if in.refuses(m) {
		t.env.Drop(in.node, graph.NullValue)
		return nil
	}
	if in.catching() && in.Failed.has(m.Offset) {
		return nil
	}
	if len(t.cfg.Skip) > 0 {
		if p := t.poison(m.Offset); p != nil {
			t.settle(p.Failure, c)
			return nil
		}
	}
	t.before, t.stage = t.effects(), pushStage
	if t.savepoint.left > 0 {
		return t.pushCarefully(in, m, at, judged, c)
	}
	if err := in.source.Push(m, at, judged); err != nil {
		return t.answer(err, c)
	}
	c.Processed++
	return nil
}

func (t *Task) endCaught() (err error) {
	if t.ended || t.cfg.Run == "" || t.cfg.CatchUp != nil {
		return nil
	}
	defer t.caught(&err)
	return t.end()
}

// end fires everything that is open once every input of a bounded task is at
// its end.
func (t *Task) end() error {
	for _, in := range t.inputs {
		if !in.atEnd() {
			return nil
		}
	}
	if err := t.sweep(false); err != nil {
		return err
	}
	t.ended = true
	return nil
}
