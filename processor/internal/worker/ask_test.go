package worker

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/partitioner"
	"github.com/millrace/millrace/processor/internal/restore"
	"github.com/millrace/millrace/processor/internal/task"
)

// asking is a worker whose task waits for what is on the broker, and the
// questions that the broker was asked, which wait until they are let go.
func asking(t *testing.T) (w *Worker, asked chan struct{}, letGo chan struct{}) {
	c := newCluster(t, 1, "in", "also", "out")
	l := mergingLease(t)
	cfg := task.Config{Subtopology: l.Sub, Partitions: map[string]int32{"out": 1}, Partition: partitioner.New(), Tasks: 1}
	w = &Worker{cfg: Config{Now: time.Now, Elapsed: func() time.Duration { return 0 }}, leases: leases{all: []*lease{l}}, routes: map[broker.TopicPartition]route{}, member: &group.Member{}, restores: restoreLine{Restorer: &restore.Restorer{}}, pipeline: &commit.Pipeline{}}
	for i, in := range l.Inputs {
		cfg.Inputs = append(cfg.Inputs, task.Input{Topic: in.Topic})
		w.routes[in.TopicPartition] = route{l, i}
	}
	var err error
	if l.task, err = task.New(cfg); err != nil {
		t.Fatal(err)
	}
	if w.fetcher, err = broker.NewFetcher(c.opts, &w.waker); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.fetcher.Close)
	asked, letGo = make(chan struct{}, 1), make(chan struct{})
	c.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		asked <- struct{}{}
		c.SleepControl(func() { <-letGo })
		return nil, nil, false
	})
	return w, asked, letGo
}

// comeBack waits until a request is answered and has woken the worker.
func comeBack[T any](t *testing.T, w *Worker, e *broker.AsyncRequest[T]) {
	ctx, disarm := w.waker.Arm(t.Context())
	defer disarm()
	if !e.Answered() {
		<-ctx.Done()
	}
}

// A question that a broker leaves unanswered holds up neither the tasks nor, once
// it is answered, the next one; and meanwhile there is no other.
func TestUnansweredQuestion(t *testing.T) {
	w, asked, letGo := asking(t)
	if err := w.tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-asked // the broker has it, and the worker went on
	w.ends.next = time.Now().Add(-time.Hour)
	if err := w.tick(t.Context()); err != nil || !w.ends.next.Before(time.Now()) {
		t.Fatalf("asked again while the answer is still to come, %v", err)
	}
	close(letGo)
	comeBack(t, w, &w.ends.AsyncRequest)
	if !w.pending() {
		t.Error("the answer is overslept")
	}
	for range 2 { // hears the answer, asks again
		if err := w.tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	<-asked
	comeBack(t, w, &w.ends.AsyncRequest)
}

// What a task has read since the question was sent is not what the answer is about,
// and a question that was not answered proves nothing.
func TestOutdatedAnswer(t *testing.T) {
	w, _, _ := asking(t)
	l := w.leases.all[0]
	if err := l.task.Enqueue(0, []graph.Message{{Key: []byte("k"), Value: []byte("v"), Timestamp: 1}}, 1); err != nil {
		t.Fatal(err)
	}
	other := l.Inputs[1].TopicPartition
	atStart := map[broker.TopicPartition]int64{other: 0}
	for _, c := range []struct {
		what  string
		stood int64
		ends  map[broker.TopicPartition]int64
		takes int
	}{
		{"no answer", 0, nil, 0},
		{"an answer to a question from another position", 7, atStart, 0},
		{"an answer to a question from its position", 0, atStart, 1},
	} {
		if err := w.hearEnds(t.Context(), answer{asked: task.Moment{Wall: 1, Elapsed: 1}, parts: []broker.TopicPartition{other}, stood: []int64{c.stood}, ends: c.ends}); err != nil {
			t.Fatal(err)
		}
		if n, err := l.task.Step(1, 10); err != nil || n != c.takes {
			t.Errorf("after %s for the other input: %d records, %v; want %d", c.what, n, err, c.takes)
		}
	}
}

// A task waits for an empty input for as long as the clock says that is never set.
func TestASetClockNeitherHoldsNorHurries(t *testing.T) {
	for name, set := range map[string]time.Duration{"set back": -time.Hour, "set forward": time.Hour} {
		w, _, _ := asking(t)
		l, wall, elapsed := w.leases.all[0], time.UnixMilli(10_000_000), time.Minute
		w.cfg.Now, w.cfg.Elapsed = func() time.Time { return wall }, func() time.Duration { return elapsed }
		cfg := l.task.Config()
		cfg.MaxIdle = 100
		var err error
		if l.task, err = task.New(cfg); err != nil {
			t.Fatal(err)
		}
		if err := l.task.Enqueue(0, []graph.Message{{Key: []byte("k"), Value: []byte("v"), Timestamp: 1}}, 1); err != nil {
			t.Fatal(err)
		}
		other := l.Inputs[1].TopicPartition
		a := answer{asked: w.cfg.moment(), parts: []broker.TopicPartition{other}, stood: []int64{0}, ends: map[broker.TopicPartition]int64{other: 0}}
		if err := w.hearEnds(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		took := func() int {
			w.leases.align(w.cfg.moment())
			n, err := l.task.Step(w.cfg.moment().Wall, 10)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := took(); n != 0 {
			t.Errorf("%s: it does not wait", name)
		}
		wall, elapsed = wall.Add(set), elapsed+99*time.Millisecond
		if n := took(); n != 0 {
			t.Errorf("%s: it does not wait long enough", name)
		}
		if elapsed += time.Millisecond; took() != 1 {
			t.Errorf("%s: it waits on", name)
		}
	}
}
