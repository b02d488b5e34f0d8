package graph

import (
	"fmt"

	"github.com/millrace/millrace/processor/internal/stack"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// An Env is what a task gives to the nodes it instantiates. It lives as long as
// the instances do, and like them is touched only by the task's owner.
type Env struct {
	Outbox   *Outbox
	Counters []Counters // by NodeID
	Context  *Context
	Policy   *ErrorPolicy
	// Partition is the Java-identical partitioner.
	Partition func(key []byte, n int32) int32
	// Partitions counts the partitions of every topic that is written to.
	Partitions map[string]int32
	// Task is the number of the task's partition, and Tasks how many tasks its
	// sub-topology has: what it tells the readers of its repartition topics.
	Task, Tasks int32
	// Run names the bounded run; empty for a live task.
	Run string
	// Route sends the record being processed to the dead-letter topic.
	Route func(node *Node, reason Reason)
	// RouteResult sends a result that its topic would refuse there.
	RouteResult func(node *Node, out Out, why error)
	// Release sends a result that node has held back and that comes of no record, by
	// calling send. What fails over it is answered as the policy says: the result
	// is then gone, with all that it did. held is what is a dead letter then, and
	// is valid during the call. It is called where Between says so.
	Release func(node *Node, held Out, send func() error) error
	// Limits are those of every topic that is written to, as far as they are
	// known.
	Limits map[string]*Limits
	// Wall is the wall clock, ms since epoch, of the last step or tick; 0
	// before the first. It bounds what is sent and decides nothing else.
	Wall int64
	// Counted grows with whatever a node counts that is not undone by taking
	// back outputs and state.
	Counted uint64
	// Releasing says that a result is being sent by Release.
	Releasing bool

	// Firing is the operator that emits what was due, in a sweep; nil while none
	// does.
	Firing *Node

	stores    *state.Stores
	savepoint savepoint
	traces    stack.Traces // of panics
}

// NewEnv returns an Env over the task's stores, which are nil if it has none.
func NewEnv(stores *state.Stores) *Env { return &Env{stores: stores} }

// Stores returns the task's stores; it makes Env a state.Opener.
func (e *Env) Stores() *state.Stores { return e.stores }

// Drop counts a record that goes no further at node, and routes it if the
// policy says so.
func (e *Env) Drop(node *Node, reason Reason) {
	e.Counted++
	e.CountersOf(node).Dropped[reason]++
	if e.Policy.Routes(reason) {
		e.Route(node, reason)
	}
}

// Refuse answers a result that its topic would refuse. It is the failure of the
// record it comes of. Where it comes of none, as when a window closes, the
// result itself is counted at its sink, and routed, as the policy says.
func (e *Env) Refuse(node *Node, out Out, why error) error {
	if e.Blames() {
		return &RecordError{Operator: node.Name, Phase: PhaseProduce, Err: why}
	}
	if e.Policy.OnError == Fail {
		return fmt.Errorf("sink %q: %w; or set an error policy (SkipErrors or DeadLetter of stream.Builder), which then covers this result", node.Name, why)
	}
	e.Counted++
	c := e.CountersOf(node)
	c.In++
	c.Dropped[Refused]++
	if e.Policy.OnError == DeadLetter {
		e.RouteResult(node, out, why)
	}
	return nil
}

// Blames reports whether what is sent now comes of the record being processed.
func (e *Env) Blames() bool { return e.Context.Message != nil }

// Between reports whether nothing is under way that may yet fail and be taken back:
// neither a record nor a result that was held back.
func (e *Env) Between() bool { return e.Context.Message == nil && !e.Releasing }

// LimitsOf returns the limits of a topic.
func (e *Env) LimitsOf(topic string) *Limits {
	if l := e.Limits[topic]; l != nil {
		return l
	}
	return Unlimited()
}

// DropLate is Drop for a record that was late by so many ms of event time: the
// watermark less the one at which its last window had closed.
func (e *Env) DropLate(node *Node, by int64) {
	e.lateness(node).observe(by)
	e.Drop(node, Late)
}

// A Context tells user code about the record being processed. It is valid only
// during the call it is passed to.
type Context struct {
	Source  Origin
	Message *Message // nil outside of a record, as when a window closes
}

// Origin says where the record being processed came from; false when there is
// none, because a timer or a commit made the call.
func (c *Context) Origin() (Origin, bool) { return c.Source, c.Message != nil }

// An Instance is a node that runs in one task.
type Instance struct {
	// Receive has a Receiver for each input, of the type of that input (see One);
	// nil for sources.
	Receive []any
	Source  Source // sources only
	Timed   Timed  // operators that wait for watermarks
	Teller  Teller // sinks that tell how far the time has come
	// Leave sends what an operator that Holds has let go while it could not be sent;
	// nil of all others. It is called after each record and each result that was held
	// back before the operator: what that brought has then come through.
	Leave func() error
	// Commit emits what the operator holds back until a commit; nil if
	// nothing.
	Commit func() error
	// Undoable is what the operator remembers of records beside its stores; nil
	// where that does no harm when a record is taken back.
	Undoable Undoable
	// AfterCommit is called when Kafka has a commit, once for each and in their
	// order: it answers the oldest call of Commit that was not answered yet. Later
	// ones may have been prepared by then, and records processed.
	AfterCommit func()
	// AfterAbort is called when the task is thrown away and everything that
	// AfterCommit has not answered goes with it; a new instance processes that
	// again. Nothing else is called afterwards.
	//
	// Both are for what the node has outside of its task. They neither send nor
	// touch stores, for no commit would have it, and return at once. They may be
	// called late. After a crash, or when a task is given up, neither is called
	// for what is on its way; and where Kafka did not answer, AfterAbort is called
	// for a commit that may turn out to be there. So what has to be right lies
	// with the commit, in a topic or a store.
	AfterAbort func()
}

// Undoable is what can be taken back to how it was before a record.
type Undoable interface {
	// Mark sets a savepoint, before a record. Undo or Keep follows before
	// anything else happens.
	Mark()
	// Undo goes back to the savepoint and forgets it.
	Undo()
	// Keep forgets the savepoint.
	Keep()
}

// A Source is the entry of a task for one input topic.
type Source interface {
	// Time returns the event time of m. It decodes m only if the time is in it,
	// and returns windowing.NoTime if m then has no value. It is asked for every
	// record, whether the source takes those without a value or not.
	Time(m *Message) (windowing.EventTime, error)
	// Mark returns the watermark that m announces, if it is a marker. It is
	// called only where the strategy of the source is Marked.
	Mark(m *Message) (at windowing.EventTime, ok bool, err error)
	// Push decodes m and sends it down the graph, to be judged by watermark. m has
	// a value, unless the node takes those without.
	Push(m *Message, at, watermark windowing.EventTime) error
}

// Timed is an operator that acts when event time passes.
type Timed interface {
	// Advance emits everything due at the merged watermark.
	Advance(merged windowing.EventTime) error
	// Due is the lowest merged watermark at which Advance has something to do;
	// windowing.MaxTime if there is none.
	Due() windowing.EventTime
	// Passed is the watermark that holds behind this operator.
	Passed() windowing.EventTime
}

// A Teller is a sink that tells its readers how far the time has come: that of a
// repartition topic, and that of a topic whose completeness is written beside
// it.
type Teller interface {
	// Pass sets the time that holds behind everything sent so far.
	Pass(t Time)
	// Tell sends the time to everyone who does not know it yet; with renew also
	// to those whose knowledge of an idle task would run out.
	Tell(renew bool) error
	// Owes says that someone does not know the time yet.
	Owes() bool
}

// A Time is how far the event time has come at a place of the graph.
type Time struct {
	Watermark windowing.EventTime
	Idle      bool // nothing is expected here for the time being
	Ended     bool // nothing will ever come: a bounded run is at its end
}
