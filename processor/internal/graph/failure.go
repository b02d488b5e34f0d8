package graph

import (
	"fmt"
	"reflect"

	"github.com/millrace/millrace/processor/internal/stack"
)

// A Phase is the step of the path in which a record failed.
type Phase string

// The phases a failure can happen in.
const (
	PhaseDecode  Phase = "decode"
	PhaseProcess Phase = "process"
	PhaseProduce Phase = "produce"
)

// A RecordError is a failure that one record caused: its bytes could not be
// decoded, user code rejected it, or a topic does not take what came of it. The error policy decides what becomes of
// the record; every other error fails the task.
type RecordError struct {
	Operator string
	Phase    Phase
	Err      error
	// Node is where it happened; nil where nobody needs to know. Operator is what
	// is shown, and does not say it: of a panic it is a place, and names may be
	// given twice.
	Node *Node
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("operator %q, phase %s: %s", e.Operator, e.Phase, textOf(e.Err))
}

// textOf is what fmt makes of a value of user code. A text that panics is made by
// fmt too, but for one whose panic panics as it is shown.
func textOf(v any) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("a %T, whose text cannot be made", v)
		}
	}()
	return fmt.Sprint(v)
}

func (e *RecordError) Unwrap() error { return e.Err }

// A panicError is a panic of user code.
type panicError struct {
	value any
	trace *stack.Told
}

func (e *panicError) Error() string { return fmt.Sprintf("%s\n%v", e.message(), e.trace) }

func (e *panicError) message() string { return "panic: " + textOf(e.value) }

// Panicked is the failure of an operator whose user code panicked with p. Only
// who recovers calls it: the stack, which goes with it, is that of the panic. Where
// the operator is not known, it is empty, the place of the panic stands for it.
func (e *Env) Panicked(operator string, p any) *RecordError {
	trace := e.traces.Of(1)
	if operator == "" {
		operator = trace.Place
	}
	return &RecordError{Operator: operator, Phase: PhaseProcess, Err: &panicError{p, trace}}
}

// A Report is a failure in words, taken apart.
type Report struct {
	Kind    string // the type of the error, or of what was panicked with
	Message string // without the stack
	Stack   string // of a panic
	Place   string // of a panic: the innermost function of user code, with its line
}

// Report takes the failure apart.
func (e *RecordError) Report() Report {
	if p, ok := e.Err.(*panicError); ok {
		return Report{Kind: "panic(" + kindOf(p.value) + ")", Message: p.message(), Stack: p.trace.String(), Place: p.trace.Place}
	}
	return Report{Kind: kindOf(e.Err), Message: textOf(e.Err)}
}

// kindOf is the type of a value, as %T has it.
func kindOf(v any) string {
	if v == nil {
		return "<nil>"
	}
	return reflect.TypeOf(v).String()
}

// Reason is the reason under which the failure is counted.
func (e *RecordError) Reason() Reason {
	switch e.Phase {
	case PhaseDecode:
		return Decode
	case PhaseProduce:
		return Refused
	}
	return Process
}

// OnError is what an ErrorPolicy does with a record that failed.
type OnError uint8

// The answers of an ErrorPolicy.
const (
	Fail       OnError = iota // the task fails and keeps its offset
	Skip                      // counted, then dropped
	DeadLetter                // counted, then sent to the dead-letter topic in the same transaction
)

// An ErrorPolicy says what becomes of records that failed and of records that
// were dropped. Its zero value fails the task and routes nothing.
type ErrorPolicy struct {
	OnError OnError
	Topic   string   // the dead-letter topic; needed for DeadLetter and Route
	Route   []Reason // drops that go to the dead-letter topic too
	// HashPayload sends the SHA-256 of key and value instead of their bytes,
	// for topics whose content must not be copied.
	HashPayload bool
}

// Routes says whether drops for this reason go to the dead-letter topic.
func (p *ErrorPolicy) Routes(r Reason) bool {
	for _, x := range p.Route {
		if x == r {
			return true
		}
	}
	return false
}
