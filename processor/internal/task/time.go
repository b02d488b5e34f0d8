package task

import (
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/windowing"
)

// A TimeInfo is where the time of a task stands, and why: a copy that refers to
// nothing of the task, so it may go to other goroutines.
type TimeInfo struct {
	Task      ID
	Inputs    []InputTime
	Operators []OperatorTime // those that act on time or pass it on, in topological order
}

// An InputTime is the time of one input.
type InputTime struct {
	Topic     string
	Partition int32
	graph.Time
	// Upstream has what each task that writes a repartition topic last said,
	// by its number; empty as long as none of them was heard.
	Upstream []UpstreamTime
	Internal bool // it is a repartition topic
	Queued   int  // records that wait in the task
	Aligned  bool // they wait because the input has run too far ahead of others
	// Of live source partitions: how long nothing has come, whether the source
	// has no rule for that, and whether time follows the clock for it.
	Silent         time.Duration
	Ruleless, Runs bool
}

// An UpstreamTime is what one task that writes a repartition topic last said.
type UpstreamTime struct {
	graph.Time
	Heard bool
}

// An OperatorTime is the time of one operator.
type OperatorTime struct {
	Name    string
	Node    graph.NodeID
	Arrived graph.Time          // merged over what reaches the operator
	Passed  windowing.EventTime // holds behind it
	Due     windowing.EventTime // at which it has something to do; windowing.MaxTime for never
	Hold    Hold
}

// A Hold says what keeps the time of an operator where it is: the channel that
// would have to move on first.
type Hold struct {
	Input    int    // by its index in Inputs
	Upstream int    // of a repartition topic: the task that writes it; else -1
	Behind   string // the nearest operator between that acts on time; empty if there is none
}

// Time returns where the time of the task stands now. It is made anew for each
// call; nothing is kept for it while records are processed.
func (t *Task) Time() TimeInfo {
	info := TimeInfo{Task: t.cfg.ID}
	for _, in := range t.inputs {
		info.Inputs = append(info.Inputs, in.timeInfo())
	}
	for _, i := range t.clocked {
		n := &t.nodes[i]
		if n.inst.Timed == nil && n.inst.Teller == nil {
			continue
		}
		o := OperatorTime{
			Name: n.recipe.Name, Node: n.recipe.ID, Arrived: t.arriving(n), Passed: n.passed.Watermark,
			Due: windowing.MaxTime, Hold: t.hold(n),
		}
		if n.inst.Timed != nil {
			o.Due = n.inst.Timed.Due()
		}
		info.Operators = append(info.Operators, o)
	}
	return info
}

func (in *input) timeInfo() InputTime {
	info := InputTime{Topic: in.Topic, Partition: in.Partition, Time: in.time(), Internal: in.edge != nil, Queued: in.queued, Aligned: in.queued > 0 && in.held()}
	if in.edge == nil {
		if !in.bounded {
			info.Silent = time.Duration(in.silence.until-in.silence.since) * time.Millisecond
			info.Ruleless, info.Runs = in.node.Watermarks.IdleAfter() == 0, in.quiet.idle && in.followsClock()
		}
		return info
	}
	for i := range in.edge.channels {
		c := &in.edge.channels[i]
		info.Upstream = append(info.Upstream, UpstreamTime{Time: c.time(), Heard: c.heard})
	}
	return info
}

// hold follows the time that arrives at n up to the input it comes from.
func (t *Task) hold(n *node) Hold {
	h := Hold{Upstream: -1}
	for n.input == nil {
		if len(n.parents) == 0 {
			return h // of a CatchUp, which lacks what brings the time
		}
		var slowest slowest
		for i, p := range n.parents {
			slowest.add(i, t.nodes[p].passed)
		}
		n = &t.nodes[n.parents[slowest.at]]
		if n.inst.Timed != nil && h.Behind == "" {
			h.Behind = n.recipe.Name
		}
	}
	for i, in := range t.inputs {
		if in == n.input {
			h.Input = i
		}
	}
	if e := n.input.edge; e != nil && len(e.channels) > 0 {
		var slowest slowest
		for i := range e.channels {
			slowest.add(i, e.channels[i].time())
		}
		h.Upstream = slowest.at
	}
	return h
}

// A slowest finds, among the channels that a merger merges, the one whose
// watermark it takes: the first of equal ones.
type slowest struct {
	at    int
	time  graph.Time
	found bool
}

func (s *slowest) add(i int, t graph.Time) {
	if !s.found || s.yields(t) {
		s.at, s.time, s.found = i, t, true
	}
}

// yields says that t decides rather than what was found so far: a channel that
// goes on before an idle one, that before an ended one; the lowest of those that
// go on, the highest of those that do not.
func (s *slowest) yields(t graph.Time) bool {
	if was, is := rank(s.time), rank(t); was != is {
		return is < was
	} else if is == 0 {
		return t.Watermark < s.time.Watermark
	}
	return t.Watermark > s.time.Watermark
}

func rank(t graph.Time) int {
	switch {
	case t.Ended:
		return 2
	case t.Idle:
		return 1
	}
	return 0
}
