package task

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/processor/internal/graph"
)

// Scope is how far a failure reaches.
type Scope uint8

// The scopes a task can tell apart; the worker adds its own.
const (
	TaskScope   Scope = iota // the task cannot go on
	RecordScope              // one record is to blame: abort, and replay carefully
)

// A RecordError blames one record for a failure, and says what the answer to
// it is.
type RecordError struct {
	Task    ID
	Origin  graph.Origin
	Failure *graph.RecordError
	stuck   error
	scope   Scope
}

func (e *RecordError) Error() string {
	s := fmt.Sprintf("task %s: topic %q partition %d offset %d: %v", e.Task, e.Origin.Topic, e.Origin.Partition, e.Origin.Offset, e.Failure)
	if e.stuck != nil {
		s += fmt.Sprintf("; and what it did cannot be taken back: %v", e.stuck)
	}
	if e.scope == TaskScope {
		s += "; the record is kept: correct the application, or set an error policy (SkipErrors or DeadLetter of stream.Builder), and start again"
	}
	return s
}

func (e *RecordError) Unwrap() error { return e.Failure }

// A Poison is a record that failed after it had effects, and whose failure is
// going to be settled.
type Poison struct {
	Task    ID
	Origin  graph.Origin
	Failure *graph.RecordError
	Stuck   error // why what it did cannot be taken back; nil where nobody has tried
}

// Err is the failure with the record to blame.
func (p *Poison) Err() error {
	return &RecordError{Task: p.Task, Origin: p.Origin, Failure: p.Failure, stuck: p.Stuck, scope: RecordScope}
}

// Classify says how far err reaches, and for RecordScope which record is to
// blame.
func Classify(err error) (Scope, Poison) {
	var re *RecordError
	if errors.As(err, &re) && re.scope == RecordScope {
		return RecordScope, Poison{Task: re.Task, Origin: re.Origin, Failure: re.Failure, Stuck: re.stuck}
	}
	return TaskScope, Poison{}
}

// effects counts what the task has written and counted so far, so that a record
// that failed can be seen to have left no trace.
func (t *Task) effects() uint64 {
	n := uint64(len(t.outbox.Outs())) + t.env.Counted
	if t.cfg.Stores != nil {
		n += t.cfg.Stores.Writes()
	}
	return n
}

// answer applies the error policy to a failure of the current record. A record
// without effects is settled at once, and so is one that can be taken back; any
// other has the whole transaction aborted and is replayed carefully.
func (t *Task) answer(err error, c *graph.Counters) error {
	var re *graph.RecordError
	if !errors.As(err, &re) {
		return fmt.Errorf("task %s: topic %q partition %d offset %d: %w", t.cfg.ID, t.current.Topic, t.current.Partition, t.context.Source.Offset, err)
	}
	if t.env.Policy.OnError == graph.Fail {
		return t.blamed(re, TaskScope, nil)
	}
	t.locate(re)
	if done, err := t.takeBack(); !done {
		return t.blamed(re, RecordScope, err)
	}
	t.settle(re, c)
	return nil
}

// blamed is a failure of the current record; stuck is why what it did cannot be
// taken back.
func (t *Task) blamed(re *graph.RecordError, scope Scope, stuck error) error {
	return &RecordError{Task: t.cfg.ID, Origin: t.context.Source, Failure: re, stuck: stuck, scope: scope}
}

// failed settles a failure that had no effects.
func (t *Task) failed(err error, c *graph.Counters) error {
	var re *graph.RecordError
	if !errors.As(err, &re) {
		return fmt.Errorf("task %s: topic %q partition %d offset %d: %w", t.cfg.ID, t.current.Topic, t.current.Partition, t.context.Source.Offset, err)
	}
	if t.env.Policy.OnError == graph.Fail {
		return t.blamed(re, TaskScope, nil)
	}
	t.locate(re)
	t.settle(re, c)
	return nil
}

// locate says at which node a failure of the current record happened. Where nodes
// are not watched it is taken for the source, and nobody asks.
func (t *Task) locate(re *graph.RecordError) {
	if re.Node == nil {
		re.Node = t.at
	}
	if re.Node == nil {
		re.Node = t.current.node
	}
}

// settle counts a failed record at its source and, where the policy says so,
// sends it to the dead-letter topic; that first, for the text of an error is user
// code and may panic.
func (t *Task) settle(re *graph.RecordError, c *graph.Counters) {
	told := t.toldBefore(re.Node)
	if t.env.Policy.OnError == graph.DeadLetter && !told {
		t.deadLetter(re.Operator, re.Reason(), re)
	}
	c.Dropped[re.Reason()]++
	if away(t.current.Notes) {
		t.current.Failed.add(t.context.Source.Offset)
	}
	if t.cfg.CatchUp != nil && !told {
		t.current.news.In++
		t.current.news.Dropped[re.Reason()]++
	}
}

// poison returns what is known to be wrong with the current record, if
// anything.
func (t *Task) poison(offset int64) *Poison {
	for i := range t.cfg.Skip {
		p := &t.cfg.Skip[i]
		if p.Origin.Offset == offset && p.Origin.Topic == t.current.Topic && p.Origin.Partition == t.current.Partition {
			return p
		}
	}
	return nil
}

// caught is deferred by whatever runs user code for no record: a panic is then an
// error of that call. Also firing windows run user code, and a process may have
// other applications in it.
func (t *Task) caught(err *error) {
	if p := recover(); p != nil {
		*err = t.unblamed(t.env.Panicked("", p))
	}
}

// unblamed is a panic that no record is to blame for. It names the operator that
// was emitting, if one was.
func (t *Task) unblamed(failure *graph.RecordError) error {
	if n := t.env.Firing; n != nil {
		return t.firedBy(n.Name, failure)
	}
	return fmt.Errorf("task %s: %w", t.cfg.ID, failure)
}

// panicked answers a panic of user code, which is a failure of the record that
// was being processed, as any other. It reports whether that is settled.
func (t *Task) panicked(p any) (settled bool, err error) {
	failure := t.env.Panicked("", p)
	c := t.counters
	switch t.stage {
	case pushStage:
		err = t.answer(failure, &c[t.current.node.ID])
	case timeStage:
		err = t.failed(failure, &c[t.current.node.ID])
	default:
		return false, t.unblamed(failure)
	}
	if err != nil {
		return false, err
	}
	t.stage = settledStage
	return true, nil
}
