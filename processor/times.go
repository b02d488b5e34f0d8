package processor

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/millrace/millrace/processor/internal/task"
)

// times keeps where the time of each task stands, as the workers last said:
// for the metrics and for /debug/time. Like health, workers and HTTP handlers
// share it.
//
// Always: what was said is not changed any more, only replaced.
type times struct {
	mu       sync.Mutex
	byWorker map[int]said
}

// said is what one worker last said, of all its running tasks.
type said struct {
	at    time.Time
	tasks []task.TimeInfo
}

// A taskTime is one task's time, with the wall clock at which it was taken.
type taskTime struct {
	task.TimeInfo
	at time.Time
}

func newTimes() *times { return &times{byWorker: map[int]said{}} }

func (t *times) set(worker int, tasks []task.TimeInfo) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byWorker[worker] = said{time.Now(), tasks}
}

// leave forgets a task that the worker runs no longer.
func (t *times) leave(worker int, id task.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.byWorker[worker]
	s.tasks = slices.DeleteFunc(slices.Clone(s.tasks), func(i task.TimeInfo) bool { return i.Task == id })
	t.byWorker[worker] = s
}

// clear forgets all tasks.
func (t *times) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.byWorker)
}

// all returns the times of all tasks, in the order of their names.
func (t *times) all() []taskTime {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []taskTime
	for _, s := range t.byWorker {
		for _, i := range s.tasks {
			all = append(all, taskTime{i, s.at})
		}
	}
	slices.SortFunc(all, func(a, b taskTime) int { return compareTasks(a.Task, b.Task) })
	return all
}

func compareTasks(a, b task.ID) int {
	return cmp.Or(cmp.Compare(a.Subtopology, b.Subtopology), cmp.Compare(a.Partition, b.Partition))
}
