package worker

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
	names  map[*batch]string
	begun  chan string // each step as it begins
}

func (s *scripted) do(step string, b *batch) error {
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

func (s *scripted) write(_ context.Context, b *batch) verdict {
	if err := s.do("write", b); err != nil {
		return verdict{undone, err, true}
	}
	return verdict{outcome: done}
}

func (s *scripted) finish(_ context.Context, b *batch) verdict {
	if err := s.do("finish", b); err != nil {
		return verdict{unknown, err, true}
	}
	return verdict{outcome: done}
}

func (s *scripted) abandon(_ context.Context, b *batch, reason error) verdict {
	_ = s.do("abandon", b)
	return verdict{undone, reason, false}
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

func newScripted(fail, hold string) (*scripted, *pipe, *batch, *batch) {
	a, b := &batch{began: time.Now()}, &batch{began: time.Now()}
	s := &scripted{fail: fail, hold: hold, held: make(chan struct{}), resume: make(chan struct{}), names: map[*batch]string{a: "A", b: "B"}, begun: make(chan string, 100)}
	return s, newPipe(s, &Faults{}, &broker.Waker{}), a, b
}

// B is written while A ends; neither overtakes the other.
func TestPipeOverlaps(t *testing.T) {
	s, p, a, b := newScripted("", "finish A")
	defer p.close()
	p.put(a)
	<-s.held
	p.put(b)
	s.await("write B")
	if got := s.steps(); got != "write A, finish A, write B" {
		t.Errorf("%s", got)
	}
	close(s.resume)
	if first, second := p.take(), p.take(); first != a || second != b || a.verdict.outcome != done || b.verdict.outcome != done {
		t.Errorf("landed %s %+v, then %s %+v", s.names[first], first.verdict, s.names[second], second.verdict)
	}
	if got := s.steps(); got != "write A, finish A, write B, finish B" {
		t.Errorf("%s", got)
	}
}

// B is not written before A is acknowledged.
func TestPipeWaitsForAcknowledgements(t *testing.T) {
	s, p, a, b := newScripted("", "write A")
	defer p.close()
	p.put(a)
	p.put(b)
	<-s.held
	if got := s.steps(); got != "write A" {
		t.Errorf("%s", got)
	}
	close(s.resume)
	p.take()
	p.take()
	if got := s.steps(); strings.Index(got, "write B") < strings.Index(got, "write A") {
		t.Errorf("%s", got)
	}
}

// What is behind a failure is undone, however far it has come, and nothing
// commits until the pipe is mended.
func TestPipeFailsBehindAFailure(t *testing.T) {
	tests := []struct{ fail, hold, steps string }{
		{"write A", "write A", "write A"},
		{"finish A", "finish A", "write A, finish A, write B, abandon B"},
	}
	for _, tt := range tests {
		t.Run(tt.fail, func(t *testing.T) {
			s, p, a, b := newScripted(tt.fail, tt.hold)
			defer p.close()
			p.put(a)
			<-s.held
			p.put(b)
			if strings.Contains(tt.steps, "write B") {
				s.await("write B")
			}
			close(s.resume)
			landed := []*batch{p.take(), p.take()}
			if !slices.Equal(landed, []*batch{a, b}) || a.verdict.outcome == done || b.verdict.outcome != undone || !errors.Is(b.verdict.err, errBehind) {
				t.Errorf("A %+v, B %+v", a.verdict, b.verdict)
			}
			if got := s.steps(); got != tt.steps {
				t.Errorf("%s, want %s", got, tt.steps)
			}
			s.fail, s.hold = "", ""
			a.verdict = verdict{}
			p.put(a)
			if p.take().verdict.outcome != undone {
				t.Error("a batch gets through before the pipe is mended")
			}
			p.mend()
			p.put(a)
			if v := p.take().verdict; v.outcome != done {
				t.Errorf("mended, and still %+v", v)
			}
		})
	}
}

// A stage that panics takes the worker with it, and does not hold up the end.
func TestPipePanics(t *testing.T) {
	p := newPipe(panicking{}, &Faults{}, &broker.Waker{})
	defer p.close()
	defer func() {
		if r := recover(); r != errCrash {
			t.Errorf("recovered %v", r)
		}
	}()
	p.put(&batch{})
	p.take()
}

type panicking struct{ committer }

func (panicking) write(context.Context, *batch) verdict { panic(errCrash) }
