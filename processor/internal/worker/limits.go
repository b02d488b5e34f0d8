package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/millrace/millrace/processor/internal/topics"
)

// How often the settings of topics are read again, and how long that may take.
const (
	rereadInterval = 5 * time.Minute
	rereadTimeout  = 5 * time.Second
)

// topicsRead is what a request brings: the settings by topic.
type topicsRead struct {
	settings map[string]map[string]string
	err      error
}

// rereadLimits sees to it that the tasks know what topics take whose settings
// somebody has changed. A failure is told, and tried again as late as a success.
func (w *Worker) rereadLimits(ctx context.Context) {
	if read, ok := w.reread.Answer(); ok {
		if read.err != nil && ctx.Err() == nil {
			w.cfg.Events.warning(fmt.Errorf("what topics take cannot be read again: %w", read.err))
		}
		for topic, settings := range read.settings {
			w.learn(topic, settings)
		}
	}
	if w.reread.UnderWay() || time.Since(w.lastRead) < rereadInterval {
		return
	}
	w.lastRead = time.Now()
	written, admin := w.catalog.Written(), kadm.NewClient(w.fetcher.Client)
	if len(written) == 0 {
		return
	}
	w.reread.Start(&w.waker, func() (read topicsRead) {
		ctx, cancel := context.WithTimeout(ctx, rereadTimeout)
		defer cancel()
		read.settings, read.err = topics.Settings(ctx, admin, written...)
		return read
	})
}

// relearn reads the settings of a topic that has refused a record. It reports
// whether they are others than were known.
func (w *Worker) relearn(ctx context.Context, topic string) bool {
	asking, cancel := context.WithTimeout(ctx, rereadTimeout)
	defer cancel()
	all, err := topics.Settings(asking, kadm.NewClient(w.fetcher.Client), topic)
	settings, ok := all[topic]
	if err != nil || !ok {
		if err != nil && ctx.Err() == nil {
			w.cfg.Events.warning(fmt.Errorf("topic %q refuses a record, and what it takes cannot be read: %w", topic, err))
		}
		return false
	}
	return w.learn(topic, settings)
}

// learn takes the settings of a topic over and reports whether they are others than
// were known.
func (w *Worker) learn(topic string, settings map[string]string) bool {
	changed := w.catalog.Change(topic, settings)
	for l := range w.running() {
		l.setLimits(w.catalog, w.cfg.ApplicationID)
	}
	return changed
}
