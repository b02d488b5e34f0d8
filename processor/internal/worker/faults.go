package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
)

// Step is a point of the commit cycle at which a test can intervene.
type Step uint8

// The steps, in their order.
const (
	BeforePrepare Step = iota // there is something to commit
	BeforeFlush               // outputs and changelog are on their way, the transaction is open
	AfterFlush                // all are acknowledged
	AfterOffsets              // the offsets are in the transaction
	AfterEnd                  // Kafka has committed; the local state has not been told
	AfterApply                // everything is done
	StepCount                 // the number of steps
)

var stepNames = [StepCount]string{"before-prepare", "before-flush", "after-flush", "after-offsets", "after-end", "after-apply"}

func (s Step) String() string { return stepNames[s] }

// Faults are for tests only: the zero value is the worker as it is shipped.
//
// At is called at each step of a commit and may end the worker there, by a
// panic, runtime.Goexit or os.Exit, or hold it up. Up to AfterOffsets the
// goroutines of the pipe call it, before and after that the worker's own.
//
// The switches plant one known bug each. They prove that the simulator finds
// such bugs; nothing else may set them.
type Faults struct {
	At func(Step)

	ApplyBeforeCommit   bool // state is applied once the changelog is flushed
	UnknownAsCommitted  bool // a commit whose answer got lost is taken for committed
	NoRestore           bool // changelogs are not read
	KeepOverlay         bool // an abort keeps the uncommitted state
	NoG1                bool // results of produced records are not looked at
	NoG2                bool // commits under another member id than the assignment's
	NoG3                bool // believes the callbacks' diffs instead of the assignment
	RestoreToLSO        bool // restores to the last stable offset instead of the end
	NoWatermark         bool // watermarks are not taken up again
	CommitPolled        bool // commits what was polled instead of what was processed
	TimerWithoutOffsets bool // commits results without offsets where no offset moved
	SendEarly           bool // sends a commit before the one before is acknowledged
	CommitBehind        bool // commits what is behind a commit that failed
	HeartbeatOutside    bool // tells the time to repartition topics outside of the transaction

	Planted task.Planted // bugs of the tasks
}

// tellOutside is the planted bug HeartbeatOutside: the control records of a
// commit are sent by a producer of their own, ahead of it.
func (w *Worker) tellOutside(ctx context.Context, b *batch) error {
	client, err := kgo.NewClient(append(w.cfg.Client[:len(w.cfg.Client):len(w.cfg.Client)], kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return fmt.Errorf("tell the time outside of the transaction: %w", err)
	}
	defer client.Close()
	for i := range b.parts {
		c := b.parts[i].commit
		var inside []graph.Out
		for _, o := range c.Outputs {
			if stamp, _, err := graph.StampOf(o.Headers); err != nil || !stamp.Control {
				inside = append(inside, o)
				continue
			}
			last := o.Headers[len(o.Headers)-1]
			client.Produce(ctx, &kgo.Record{
				Topic: o.Topic, Partition: o.Partition, Timestamp: time.UnixMilli(o.Timestamp),
				Headers: []kgo.RecordHeader{{Key: last.Key, Value: append([]byte(nil), last.Value...)}},
			}, nil)
		}
		c.Outputs = inside
	}
	_ = client.Flush(ctx) // lost is lost: this is the bug
	return nil
}

// applyEarly is the planted bug ApplyBeforeCommit.
func (w *Worker) applyEarly(ctx context.Context, b *batch) error {
	if err := w.land(ctx); err != nil {
		return err
	}
	b.written = make(chan struct{})
	w.pipe.put(b)
	select {
	case <-b.written:
	case l := <-w.pipe.out: // the only one
		w.pipe.out <- l
		return nil
	}
	if !b.early {
		return nil
	}
	for i := range b.parts {
		if err := b.parts[i].apply(b.at); err != nil {
			return err
		}
	}
	return nil
}

func (f *Faults) at(s Step) {
	if f.At != nil {
		f.At(s)
	}
}
