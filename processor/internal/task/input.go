package task

import (
	"fmt"
	"math"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/invariant"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// An input is one source partition of a task: the batches that wait, in order,
// and the time of the channel.
//
// Always: position <= offset of the head < next <= offset of anything that is
// enqueued later.
type input struct {
	Input
	node     *graph.Node
	source   graph.Source
	channel  windowing.Channel
	bounded  bool
	batches  [][]graph.Message
	nexts    []int64 // the position after each batch, control records counted
	at       int     // index of the head in batches[0]
	queued   int
	position int64 // the next offset to process; what a commit says
	next     int64 // the next offset expected from the log
	swept    windowing.EventTime
	edge     *edge // of a repartition topic; nil for other sources
	formats  formats
	quiet    quiet
	silence  silence
	hold     hold
	goal     *state.Input   // of a CatchUp: where the task itself is
	news     graph.Counters // of a CatchUp, since the last Prepare: the failures that nobody has counted before
	until    int64          // nothing from this offset on is read; of bounded inputs
	promised state.Input    // by the last commit prepared; kept up to date only where invariants are checked
}

func newInput(cfg Input, n *node, run string, goal *state.Input) *input {
	in := &input{
		Input: cfg, node: n.recipe, source: n.inst.Source, bounded: run != "" || goal != nil, goal: goal,
		channel:  n.recipe.Watermarks.Channel(windowing.EventTime(cfg.Watermark)),
		position: cfg.Offset, next: cfg.Offset, until: cfg.End, swept: windowing.NoTime,
	}
	in.promised = state.Input{Offset: cfg.Offset, Watermark: cfg.Watermark}
	in.Failed = cfg.Failed.clone()
	in.channel.Believed(windowing.EventTime(cfg.Highest))
	if n.recipe.Internal {
		in.channel.Advance(windowing.EventTime(cfg.Highest))
		in.formats = newFormats(n.recipe.Format, cfg.Formats)
		in.edge = newEdge(run, windowing.EventTime(cfg.Watermark), cfg.Upstream)
		in.edge.catching = goal != nil
		in.until = math.MaxInt64 // its end is told, not fixed
	}
	if goal != nil {
		in.until = goal.Offset
	}
	return in
}

// Enqueue hands the task the next records of an input; next is the position in
// the log behind them, control records counted, and batch may be empty where
// only that moved. The task owns the batch from now on. It is an error if the
// batch does not follow on what was enqueued before.
func (t *Task) Enqueue(index int, batch []graph.Message, next int64) error {
	in := t.inputs[index]
	if err := in.follows(batch, next); err != nil {
		return fmt.Errorf("task %s: %w", t.cfg.ID, err)
	}
	if invariant.Enabled {
		in.mustAscend(batch, next)
	}
	in.next = next
	if in.bounded {
		batch, next = in.cutAtEnd(batch, next)
	}
	if len(batch) == 0 {
		t.passGap(in, next)
		return nil
	}
	in.batches, in.nexts = append(in.batches, batch), append(in.nexts, next)
	in.queued += len(batch)
	return nil
}

func (in *input) follows(batch []graph.Message, next int64) error {
	first := next
	if len(batch) > 0 {
		first = batch[0].Offset
	}
	if first < in.next || next < first {
		return fmt.Errorf("topic %q partition %d: records [%d,%d) handed over at position %d", in.Topic, in.Partition, first, next, in.next)
	}
	return nil
}

// cutAtEnd drops what lies behind the end of a bounded run.
func (in *input) cutAtEnd(batch []graph.Message, next int64) ([]graph.Message, int64) {
	n := len(batch)
	for n > 0 && batch[n-1].Offset >= in.until {
		n--
	}
	return batch[:n], min(next, max(in.until, in.position))
}

// passGap moves over offsets that hold no records for the task.
func (t *Task) passGap(in *input, next int64) {
	if in.queued > 0 {
		in.nexts[len(in.nexts)-1] = next
		return
	}
	t.moved = t.moved || next > in.position
	in.position = max(in.position, next)
}

// Queued returns the number of records of an input that wait.
func (t *Task) Queued(index int) int { return t.inputs[index].queued }

// Batches returns how many of the batches of an input the task still uses: the
// latest ones that were enqueued.
func (t *Task) Batches(index int) int { return len(t.inputs[index].batches) }

// Position returns the offset of an input that the task processes next.
func (t *Task) Position(index int) int64 { return t.inputs[index].position }

func (in *input) head() *graph.Message { return &in.batches[0][in.at] }

// pop moves behind the head.
func (in *input) pop() {
	in.position = in.head().Offset + 1
	in.queued--
	if in.at++; in.at < len(in.batches[0]) {
		return
	}
	in.position, in.at = in.nexts[0], 0
	in.batches[0] = nil
	in.batches, in.nexts = in.batches[1:], in.nexts[1:]
	if len(in.batches) == 0 {
		in.batches, in.nexts = nil, nil
	}
}

// atEnd says that a bounded input has nothing more to give.
func (in *input) atEnd() bool {
	if in.edge != nil && !in.catching() {
		return in.bounded && in.queued == 0 && (in.edge.time.Ended || in.Finished)
	}
	return in.bounded && in.queued == 0 && in.position >= in.until
}

// time is what holds on the input. Its watermark is always finite: an end is a
// flag. A partition whose time follows the clock is never idle to others: it is
// only as far behind as was declared, and left out it would be late although it
// kept to that.
func (in *input) time() graph.Time {
	t := graph.Time{Watermark: in.channel.Watermark(), Idle: in.quiet.idle && !in.followsClock()}
	if in.edge != nil {
		t = in.edge.time
	}
	t.Ended = in.atEnd() && !in.catching()
	return t
}

// stored is what a commit says of the input.
func (in *input) stored() state.Input {
	s := state.Input{
		Topic: in.Topic, TopicID: in.TopicID, Partition: in.Partition, Offset: in.position,
		Watermark: int64(in.channel.Watermark()), Highest: int64(in.channel.Max()),
	}
	if in.edge != nil {
		s.Watermark, s.Upstream = int64(in.edge.time.Watermark), in.edge.upstream()
	}
	return s
}
