package worker

import (
	"time"

	"github.com/millrace/millrace/processor/internal/task"
)

// timesInterval is how often the world above is told where the time stands, at
// most: often enough for people and scrapes.
const timesInterval = time.Second

// tellTimes tells where the time of every running task stands. It comes once
// per turn, behind the records and the tick of the turn, and what it asks for
// is computed only then.
func (w *Worker) tellTimes() {
	if w.cfg.Events.Times == nil || time.Since(w.lastTimes) < timesInterval {
		return
	}
	var times []task.TimeInfo
	for l := range w.running() {
		times = append(times, l.task.Time())
	}
	if len(times) > 0 { // else the first task that runs is told at once
		w.lastTimes = time.Now()
	}
	w.cfg.Events.times(times)
}
