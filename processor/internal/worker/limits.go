package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/broker"
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

// A topicLimits keeps what topics take as their settings say by now, and has the
// stores of the running tasks keep to it. It belongs to the worker's goroutine.
type topicLimits struct {
	applicationID string
	catalog       *topics.Catalog
	client        *kgo.Client
	leases        *leases
	waker         *broker.Waker
	warn          func(error)

	request  broker.AsyncRequest[topicsRead]
	lastRead time.Time
}

// reread sees to it that the tasks know what topics take whose settings
// somebody has changed. A failure is told, and tried again as late as a success.
func (t *topicLimits) reread(ctx context.Context) {
	if read, ok := t.request.Answer(); ok {
		if read.err != nil && ctx.Err() == nil {
			t.warn(fmt.Errorf("what topics take cannot be read again: %w", read.err))
		}
		for topic, settings := range read.settings {
			t.learn(topic, settings)
		}
	}
	if t.request.UnderWay() || time.Since(t.lastRead) < rereadInterval {
		return
	}
	t.lastRead = time.Now()
	written, admin := t.catalog.Written(), kadm.NewClient(t.client)
	if len(written) == 0 {
		return
	}
	t.request.Start(t.waker, func() (read topicsRead) {
		ctx, cancel := context.WithTimeout(ctx, rereadTimeout)
		defer cancel()
		read.settings, read.err = topics.Settings(ctx, admin, written...)
		return read
	})
}

// relearn reads the settings of a topic that has refused a record. It reports
// whether they are others than were known.
func (t *topicLimits) relearn(ctx context.Context, topic string) bool {
	asking, cancel := context.WithTimeout(ctx, rereadTimeout)
	defer cancel()
	all, err := topics.Settings(asking, kadm.NewClient(t.client), topic)
	settings, ok := all[topic]
	if err != nil || !ok {
		if err != nil && ctx.Err() == nil {
			t.warn(fmt.Errorf("topic %q refuses a record, and what it takes cannot be read: %w", topic, err))
		}
		return false
	}
	return t.learn(topic, settings)
}

// learn takes the settings of a topic over and reports whether they are others than
// were known.
func (t *topicLimits) learn(topic string, settings map[string]string) bool {
	changed := t.catalog.Change(topic, settings)
	for l := range t.leases.running() {
		l.setLimits(t.catalog, t.applicationID)
	}
	return changed
}
