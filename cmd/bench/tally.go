package main

import (
	"sync"
	"time"

	"github.com/millrace/millrace/cmd/bench/internal/meter"
	"github.com/millrace/millrace/processor"
)

// A tally adds up what the application tells its event listener. The workers of an
// application share it.
type tally struct {
	mu        sync.Mutex
	tasks     map[string]bool // ours; true once it runs
	commits   meter.Delays
	outputs   int64
	changelog int64
	aborts    int64
	restored  int64     // records read from changelogs
	first     time.Time // the earliest restoration began
	last      time.Time // the latest ended
}

// listener is where the application tells.
func (t *tally) listener() processor.EventListener {
	t.tasks = make(map[string]bool)
	return processor.EventListener{
		TaskAssigned: func(i processor.TaskInfo) { t.do(func() { t.tasks[i.Task] = false }) },
		TaskRestored: func(i processor.RestoreInfo) { t.do(func() { t.restore(i, time.Now()) }) },
		TaskRevoked:  func(i processor.TaskInfo) { t.do(func() { delete(t.tasks, i.Task) }) },
		Aborted:      func(error) { t.do(func() { t.aborts++ }) },
		Committed: func(c processor.CommitInfo) {
			t.do(func() {
				t.commits = append(t.commits, c.Duration)
				t.outputs += int64(c.Outputs)
				t.changelog += int64(c.Changelog)
			})
		},
	}
}

func (t *tally) do(add func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	add()
}

func (t *tally) restore(i processor.RestoreInfo, now time.Time) {
	t.tasks[i.Task] = true
	if i.Records == 0 {
		return
	}
	t.restored += i.Records
	if began := now.Add(-i.Duration); t.first.IsZero() || began.Before(t.first) {
		t.first = began
	}
	t.last = now
}

// running reports that there are tasks, that all of them run, and how many records of
// changelogs that took.
func (t *tally) running() (running bool, restored int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, runs := range t.tasks {
		if !runs {
			return false, t.restored
		}
	}
	return len(t.tasks) > 0, t.restored
}

// report takes over what was added up.
func (t *tally) report(f *figures) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.Commits, f.CommitDelays, f.Aborts = len(t.commits), t.commits.Percentiles(), t.aborts
	f.Outputs, f.Changelog = t.outputs, t.changelog
	if t.restored > 0 {
		took := t.last.Sub(t.first).Seconds()
		f.Restored, f.Restore = t.restored, meter.Round(took, 2)
		f.RestoredRecPerS = meter.Round(float64(t.restored)/max(took, 1e-9), 0)
	}
}
