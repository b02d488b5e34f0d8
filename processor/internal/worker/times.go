package worker

import (
	"time"

	"github.com/millrace/millrace/processor/internal/task"
)

// timesInterval is how often the world above is told where the time stands, at
// most: often enough for people and scrapes.
const timesInterval = time.Second

// A timesTeller remembers when the time was told.
type timesTeller struct{ last time.Time }

// tell tells where the time of every running task stands. It comes once
// per turn, behind the records and the tick of the turn, and what it asks for
// is computed only then.
func (t *timesTeller) tell(events *Events, leases *leases) {
	if events.Times == nil || time.Since(t.last) < timesInterval {
		return
	}
	var times []task.TimeInfo
	for l := range leases.running() {
		times = append(times, l.task.Time())
	}
	if len(times) > 0 { // else the first task that runs is told at once
		t.last = time.Now()
	}
	events.times(times)
}
