package processor_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor"
)

// An instance is one process of a rolling deploy.
type instance struct {
	stop context.CancelFunc
	done chan error

	mu       sync.Mutex
	tasks    map[string]bool
	warnings []string
	changed  chan struct{}
}

func (r *rig) instance(dir string, b deployed) *instance {
	r.t.Helper()
	topology := topologyOf(r.t, b)
	x := &instance{done: make(chan error, 1), tasks: map[string]bool{}, changed: make(chan struct{}, 1)}
	note := func(f func()) {
		x.mu.Lock()
		f()
		x.mu.Unlock()
		select {
		case x.changed <- struct{}{}:
		default:
		}
	}
	app, err := processor.New(topology, processor.Config{
		ApplicationID: "app", Brokers: r.broker.ListenAddrs(), StateDir: dir, CommitInterval: 2 * time.Millisecond,
		SessionTimeout: 6 * time.Second, HeartbeatInterval: 50 * time.Millisecond,
		Events: processor.EventListener{
			TaskRestored: func(i processor.RestoreInfo) { note(func() { x.tasks[i.Task] = true }) },
			TaskRevoked:  func(i processor.TaskInfo) { note(func() { delete(x.tasks, i.Task) }) },
			Committed:    func(processor.CommitInfo) { note(func() {}) },
			Warning:      func(err error) { note(func() { x.warnings = append(x.warnings, err.Error()) }) },
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(r.t.Context(), runTimeout)
	x.stop = stop
	r.t.Cleanup(stop)
	go func() { x.done <- app.Run(ctx) }()
	return x
}

// until waits for a state of an instance, which may end only if that was asked for.
func (x *instance) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.After(runTimeout); ; {
		x.mu.Lock()
		good := ok()
		x.mu.Unlock()
		if good {
			return
		}
		select {
		case <-x.changed:
		case <-time.After(20 * time.Millisecond): // the change may be another instance's
		case err := <-x.done:
			t.Fatalf("%s: the instance ended: %v", what, err)
		case <-deadline:
			t.Fatalf("%s did not come; tasks %v, warnings %q", what, x.tasks, x.warnings)
		}
	}
}

func (x *instance) count() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.tasks)
}

func (x *instance) has(id string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.tasks[id]
}

func (x *instance) end(t *testing.T) {
	t.Helper()
	x.stop()
	if err := <-x.done; err != nil {
		t.Fatal(err)
	}
}

// A version that adds a store is rolled out, and back, while records come: the tasks of
// which it has taken hold stay with it as long as it is there, and nothing is lost,
// counted twice or left behind.
func TestRollingDeployOfAStore(t *testing.T) {
	t.Parallel()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "in", "out", "side"))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.ListenAddrs()...), kgo.DefaultProduceTopic("in"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	r := &rig{t: t, broker: broker, client: client, at: time.UnixMilli(1_000_000_000_000)}
	through := func() bool {
		group := broker.GroupInfo("app")
		for p := range int32(4) {
			if end := broker.PartitionInfo("in", p).HighWatermark; end > 0 && group.Commits["in"][p].Offset < end {
				return false
			}
		}
		return true
	}
	put := func() {
		for i := range 40 {
			r.at = r.at.Add(time.Second)
			r.send(fmt.Sprint("k", i))
		}
	}
	old := r.instance(t.TempDir(), counted("n"))
	put()
	old.until(t, "the first records", func() bool { return len(old.tasks) == 4 && through() })

	fresh := r.instance(t.TempDir(), both(nil, nil))
	fresh.until(t, "half of the tasks", func() bool { return len(fresh.tasks) == 2 })
	put()
	fresh.until(t, "the records of both", through)
	held := maps.Clone(fresh.tasks)
	second := r.instance(t.TempDir(), counted("n")) // a third member makes the group deal anew
	third := r.instance(t.TempDir(), counted("n"))
	old.until(t, "the others take a task", func() bool {
		return len(old.tasks)+second.count()+third.count()+fresh.count() == 4 && second.count()+third.count() > 0
	})
	put()
	fresh.until(t, "the records of all", through)
	for id := range held {
		if !fresh.has(id) {
			t.Errorf("task %s, which has the new store in its state, was given to a member that lacks it", id)
		}
	}

	fresh.end(t) // rolled back: nobody is left that knows the store, so the others take the tasks
	old.until(t, "the tasks back", func() bool { return len(old.tasks)+second.count()+third.count() == 4 })
	put()
	old.until(t, "the records after it", through)

	again := r.instance(t.TempDir(), both(nil, nil)) // and rolled out once more
	old.end(t)
	second.end(t)
	third.end(t)
	put()
	again.until(t, "all tasks", func() bool { return len(again.tasks) == 4 && through() })
	again.mu.Lock()
	if !strings.Contains(strings.Join(again.warnings, "\n"), "app-a-second-changelog") {
		t.Errorf("nobody said that the store was brought up: %q", again.warnings)
	}
	again.mu.Unlock()
	again.end(t)
	r.checkCounts()
}

// checkCounts compares the last counts with the records that were sent: five of each
// key.
func (r *rig) checkCounts() {
	r.t.Helper()
	want := map[string]string{}
	for i := range 40 {
		want[fmt.Sprintf("%q", fmt.Sprint("k", i))] = "5"
	}
	got := map[string]string{}
	for p := range int32(4) {
		for k, v := range r.lastIn("out", p) {
			got[k] = v
		}
	}
	mustEqual(r.t, got, want)
}
