package worker

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/restore"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// A task goes along the edges of the drawing and along no other, and it stays where
// it is and says so when it is asked to.
func TestTransitions(t *testing.T) {
	legal := map[LifecycleState][]LifecycleState{
		taskCreated:   {taskRestoring, taskClosing},
		taskRestoring: {taskRunning, taskReplaying, taskClosing},
		taskRunning:   {taskAborted, taskClosing},
		taskAborted:   {taskRestoring, taskReplaying, taskClosing},
		taskReplaying: {taskRunning, taskAborted, taskClosing},
		taskClosing:   {},
	}
	for from := range taskClosing + 1 {
		for to := range taskClosing + 1 {
			told := ""
			l := &lease{TaskState: restore.TaskState{ID: task.ID{Subtopology: 1, Partition: 2}}, state: from}
			l.moved = func(id task.ID, from, to LifecycleState) { told += fmt.Sprintf("%v: %v, %v", id, from, to) }
			err := l.transition(to)
			if !slices.Contains(legal[from], to) {
				if want := fmt.Sprintf("task 1_2 cannot go from %v to %v", from, to); err == nil || !strings.Contains(err.Error(), want) || l.state != from || told != "" {
					t.Errorf("from %v to %v: %v, want %q; it is %v and told %q", from, to, err, want, l.state, told)
				}
				continue
			}
			if want := fmt.Sprintf("1_2: %v, %v", from, to); err != nil || l.state != to || told != want {
				t.Errorf("from %v to %v: %v, it is %v and told %q", from, to, err, l.state, told)
			}
		}
	}
}

// moves follows the states of task 0_0, the first one too.
func moves(cfg *Config, w *witness) (states func() string) {
	var seen []string
	cfg.Events.TaskMoved = func(id task.ID, from, to LifecycleState) {
		w.locked(func() {
			w.note("%v is %v", id, to)
			if id != (task.ID{}) {
				return
			}
			if from == taskCreated {
				seen = append(seen, from.String())
			}
			seen = append(seen, to.String())
		})
	}
	return func() string { return strings.Join(seen, " ") }
}

// What happens to a task shows in its states, and what it does again ends with a
// commit.
func TestTheLifeOfATask(t *testing.T) {
	const first, again = "created restoring running", " aborted replaying running"
	for name, c := range map[string]struct {
		fault kfake.Fault
		rows  []row
		want  string
	}{
		"nothing happens": {want: first},
		"a produce fails": {
			fault: kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "app-counts-changelog", Err: kerr.UnknownServerError},
			want:  first + again,
		},
		"it is not known whether a commit succeeded": {
			fault: kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, TopLevel: true, Err: kerr.UnknownServerError},
			want:  first + " aborted restoring running",
		},
		"the seat in the group is lost": {
			fault: kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID},
			want:  first + " aborted closing " + first,
		},
		"a record fails": {
			rows: []row{{0, "a", "poison"}},
			want: first + again,
		},
	} {
		t.Run(name, func(t *testing.T) {
			cl, w := newCluster(t, 1, "in", "out"), newWitness(t)
			cfg := cl.config(counting(t, graph.ErrorPolicy{OnError: graph.Skip}), state.NewMemory(), w)
			states := moves(&cfg, w)
			p := start(t, cfg)
			cl.load(row{0, "a", "1"})
			w.wait(t, "a commit", func() bool { return w.commits > 0 })
			if c.fault.Keys != nil {
				c.fault.Count = 1
				cl.Fault(c.fault)
			}
			cl.load(append(c.rows, row{0, "a", "2"})...)
			w.wait(t, "what the fault does", func() bool { return states() == c.want })
			cl.output("out", 2)
			p.end()
			if got, want := states(), c.want+" closing"; got != want {
				t.Errorf("states %s, want %s", got, want)
			}
		})
	}
}

// A task that others take over is closed where it stands.
func TestARebalanceClosesATask(t *testing.T) {
	cl, w := newCluster(t, 2, "in", "out"), newWitness(t)
	cfg := cl.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), w)
	states := moves(&cfg, w)
	p := start(t, cfg)
	w.wait(t, "both tasks", func() bool { return len(w.restored) == 2 })
	other := newWitness(t)
	theirs := cl.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), other)
	q := start(t, theirs)
	other.wait(t, "a task of the other's", func() bool { return len(other.restored) == 1 })
	p.end()
	other.wait(t, "the other task", func() bool { return len(other.restored) == 2 })
	q.end()
	if got := states(); got != "created restoring running closing" {
		t.Errorf("states %s", got)
	}
}

// A task that is restored in the middle of a search goes on with it, and replays
// until it has committed what the search began with.
func TestASearchOutlivesARestore(t *testing.T) {
	l := mergingLease(t)
	l.slowDown(1)
	l.until[0] = 7
	next := l.task
	if err := l.drop(false); err != nil || l.task != nil {
		t.Fatalf("aborted: %v, task %p", err, l.task)
	}
	restored(t, l, next)
	for _, c := range []struct {
		reached int64
		want    LifecycleState
	}{{6, taskReplaying}, {7, taskRunning}} {
		if err := l.settle(&task.Commit{Reached: []state.Input{{Offset: c.reached}, {}}, Failed: make([]task.Failed, 2), Formats: make([][]task.FormatNote, 2)}); err != nil {
			t.Fatal(err)
		}
		if l.state != c.want {
			t.Errorf("committed up to %d it is %v, want %v", c.reached, l.state, c.want)
		}
	}
}
