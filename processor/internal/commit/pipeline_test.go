package commit

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/broker"
)

// A scripted committer notes what is asked of it and answers as it is told.
type scripted struct {
	mu     sync.Mutex
	log    []string
	fail   string        // the step that fails
	hold   string        // the step that waits for go
	held   chan struct{} // closed when it waits
	resume chan struct{}
	names  map[*WorkerCommit]string
	begun  chan string // each step as it begins
}

func (s *scripted) do(step string, b *WorkerCommit) error {
	step += " " + s.names[b]
	s.mu.Lock()
	s.log = append(s.log, step)
	s.mu.Unlock()
	s.begun <- step
	if step == s.hold {
		close(s.held)
		<-s.resume
	}
	if step == s.fail {
		return errors.New(step + " fails")
	}
	return nil
}

func (s *scripted) Write(_ context.Context, b *WorkerCommit) Verdict {
	if err := s.do("write", b); err != nil {
		return Verdict{Aborted, err, true}
	}
	return Verdict{Outcome: Committed}
}

func (s *scripted) Finish(_ context.Context, b *WorkerCommit) Verdict {
	if err := s.do("finish", b); err != nil {
		return Verdict{Unknown, err, true}
	}
	return Verdict{Outcome: Committed}
}

func (s *scripted) Abandon(_ context.Context, b *WorkerCommit, reason error) Verdict {
	_ = s.do("abandon", b)
	return Verdict{Aborted, reason, false}
}

// await waits until a step has begun.
func (s *scripted) await(step string) {
	for <-s.begun != step {
	}
}

func (s *scripted) steps() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.log, ", ")
}

func newScripted(fail, hold string) (*scripted, *Pipeline, *WorkerCommit, *WorkerCommit) {
	a, b := &WorkerCommit{Began: time.Now()}, &WorkerCommit{Began: time.Now()}
	s := &scripted{fail: fail, hold: hold, held: make(chan struct{}), resume: make(chan struct{}), names: map[*WorkerCommit]string{a: "A", b: "B"}, begun: make(chan string, 100)}
	return s, New(s, &CommitFaults{}, &broker.Waker{}), a, b
}

// B is written while A ends; neither overtakes the other.
func TestPipeOverlaps(t *testing.T) {
	s, p, a, b := newScripted("", "finish A")
	defer p.Close()
	p.Put(a)
	<-s.held
	p.Put(b)
	s.await("write B")
	if got := s.steps(); got != "write A, finish A, write B" {
		t.Errorf("%s", got)
	}
	close(s.resume)
	if first, second := p.Take(), p.Take(); first != a || second != b || a.Verdict.Outcome != Committed || b.Verdict.Outcome != Committed {
		t.Errorf("landed %s %+v, then %s %+v", s.names[first], first.Verdict, s.names[second], second.Verdict)
	}
	if got := s.steps(); got != "write A, finish A, write B, finish B" {
		t.Errorf("%s", got)
	}
}

// B is not written before A is acknowledged.
func TestPipeWaitsForAcknowledgements(t *testing.T) {
	s, p, a, b := newScripted("", "write A")
	defer p.Close()
	p.Put(a)
	p.Put(b)
	<-s.held
	if got := s.steps(); got != "write A" {
		t.Errorf("%s", got)
	}
	close(s.resume)
	p.Take()
	p.Take()
	if got := s.steps(); strings.Index(got, "write B") < strings.Index(got, "write A") {
		t.Errorf("%s", got)
	}
}

// What is behind a failure is undone, however far it has come, and nothing
// commits until the pipeline is mended.
func TestPipeFailsBehindAFailure(t *testing.T) {
	tests := []struct{ fail, hold, steps string }{
		{"write A", "write A", "write A"},
		{"finish A", "finish A", "write A, finish A, write B, abandon B"},
	}
	for _, tt := range tests {
		t.Run(tt.fail, func(t *testing.T) {
			s, p, a, b := newScripted(tt.fail, tt.hold)
			defer p.Close()
			p.Put(a)
			<-s.held
			p.Put(b)
			if strings.Contains(tt.steps, "write B") {
				s.await("write B")
			}
			close(s.resume)
			landed := []*WorkerCommit{p.Take(), p.Take()}
			if !slices.Equal(landed, []*WorkerCommit{a, b}) || a.Verdict.Outcome == Committed || b.Verdict.Outcome != Aborted || !errors.Is(b.Verdict.Err, errBehind) {
				t.Errorf("A %+v, B %+v", a.Verdict, b.Verdict)
			}
			if got := s.steps(); got != tt.steps {
				t.Errorf("%s, want %s", got, tt.steps)
			}
			s.fail, s.hold = "", ""
			a.Verdict = Verdict{}
			p.Put(a)
			if p.Take().Verdict.Outcome != Aborted {
				t.Error("a batch gets through before the pipe is mended")
			}
			p.Reset()
			p.Put(a)
			if v := p.Take().Verdict; v.Outcome != Committed {
				t.Errorf("mended, and still %+v", v)
			}
		})
	}
}

// A stage that panics takes the worker with it, and does not hold up the end.
func TestPipePanics(t *testing.T) {
	p := New(panicking{}, &CommitFaults{}, &broker.Waker{})
	defer p.Close()
	defer func() {
		if r := recover(); r != errPanic {
			t.Errorf("recovered %v", r)
		}
	}()
	p.Put(&WorkerCommit{})
	p.Take()
}

// errPanic is what a committer panics with.
var errPanic = errors.New("panic")

type panicking struct{ Committer }

func (panicking) Write(context.Context, *WorkerCommit) Verdict { panic(errPanic) }
