package commit

import (
	"context"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/broker"
)

// A failure undoes what is behind it, not what is ahead: here B fails to be
// written before A's end has begun.
func TestPipeSparesWhatIsAhead(t *testing.T) {
	a, b := &WorkerCommit{Began: time.Now()}, &WorkerCommit{Began: time.Now()}
	p := &Pipeline{
		committer: &scripted{fail: "write B", names: map[*WorkerCommit]string{a: "A", b: "B"}, begun: make(chan string, 100)}, faults: &CommitFaults{}, waker: &broker.Waker{}, ctx: context.Background(),
		in: make(chan *WorkerCommit, depth), mid: make(chan *WorkerCommit, depth), out: make(chan result, depth),
	}
	p.Put(a)
	p.Put(b)
	close(p.in)
	p.write()
	close(p.mid)
	p.finish()
	if v := p.Take().Verdict; v.Outcome != Committed {
		t.Errorf("A: %+v", v)
	}
	if v := p.Take().Verdict; v.Outcome != Aborted || v.Err.Error() != "write B fails" {
		t.Errorf("B: %+v", v)
	}
}
