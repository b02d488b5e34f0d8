package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/restore"
	"github.com/millrace/millrace/processor/internal/task"
)

// Faults are for tests only: the zero value is the worker as it is shipped. The
// switches plant one known bug each. They prove that the simulator finds such bugs;
// nothing else may set them. Where planted.On is false they have no effect.
type Faults struct {
	commit.CommitFaults // At is among them
	restore.RestoreFaults

	ApplyBeforeCommit   bool // state is applied once the changelog is flushed
	UnknownAsCommitted  bool // a commit whose answer got lost is taken for committed
	KeepOverlay         bool // an abort keeps the uncommitted state
	NoG2                bool // commits under another member id than the assignment's
	NoG3                bool // believes the callbacks' diffs instead of the assignment
	CommitPolled        bool // commits what was polled instead of what was processed
	TimerWithoutOffsets bool // commits results without offsets where no offset moved
	HeartbeatOutside    bool // tells the time to repartition topics outside of the transaction

	Planted task.Planted // bugs of the tasks
}

// A Step is a point of the commit cycle at which a test can intervene.
type Step = commit.Step

// tellOutside is the planted bug HeartbeatOutside: the control records of a
// commit are sent by a producer of their own, ahead of it.
func (w *Worker) tellOutside(ctx context.Context, b *commit.WorkerCommit) error {
	client, err := kgo.NewClient(append(w.cfg.Client[:len(w.cfg.Client):len(w.cfg.Client)], kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return fmt.Errorf("tell the time outside of the transaction: %w", err)
	}
	defer client.Close()
	for i := range b.Parts {
		c := b.Parts[i].Commit
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
func (w *Worker) applyEarly(ctx context.Context, b *commit.WorkerCommit) error {
	if err := w.land(ctx); err != nil {
		return err
	}
	if !w.pipeline.PutEarly(b) {
		return nil
	}
	for i := range b.Parts {
		if err := b.Parts[i].Apply(b.At); err != nil {
			return err
		}
	}
	return nil
}
