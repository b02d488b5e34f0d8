package worker

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/partitioner"
	"github.com/millrace/millrace/processor/internal/task"
)

// A question that a broker leaves unanswered puts the next one off, for all tasks
// stand still meanwhile.
func TestUnansweredQuestion(t *testing.T) {
	c := newCluster(t, 1, "in", "also", "out")
	l := mergingLease(t)
	cfg := task.Config{Subtopology: l.sub, Partitions: map[string]int32{"out": 1}, Partition: partitioner.New(), Tasks: 1} // waits for what is on the broker
	w := Worker{cfg: Config{Now: time.Now}, leases: []*lease{l}, routes: map[topicPartition]route{}}
	for i, in := range l.inputs {
		cfg.Inputs = append(cfg.Inputs, task.Input{Topic: in.topic})
		w.routes[in.topicPartition] = route{l, i}
	}
	var err error
	if l.task, err = task.New(cfg); err != nil {
		t.Fatal(err)
	}
	if w.fetcher, err = newFetcher(c.opts, &w.waker); err != nil {
		t.Fatal(err)
	}
	defer w.fetcher.close()
	var asked atomic.Int32
	before := time.Now()
	release := make(chan struct{})
	defer close(release)
	c.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
		asked.Add(1)
		c.SleepControl(func() { <-release })
		return nil, nil, false
	})
	if err := w.tick(context.Background()); err != nil || asked.Load() == 0 {
		t.Fatalf("%d questions, %v", asked.Load(), err)
	}
	if least := before.Add((1 + askPause) * askTimeout); w.nextAsk.Before(least) {
		t.Errorf("after a question without an answer the next one comes %v after it", w.nextAsk.Sub(before))
	}
}
