package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/windowing"
)

// limits are what the topics take that are written to: read at the start, when a
// broker refuses a record, and now and then.
//
// Always: topics and batches have the same topics from the start on. What topics points to
// is the worker's, and its tasks read it; the sizes in batches are also asked for
// by the clients' goroutines.
type limits struct {
	topics  map[string]*graph.Limits // sinks, repartition topics and the dead-letter topic
	batches map[string]*atomic.Int32 // the largest batch, of changelogs too
	read    map[string]graph.Limits  // what the settings said last; topics may be stricter, see assume
}

func newLimits() limits {
	return limits{topics: map[string]*graph.Limits{}, batches: map[string]*atomic.Int32{}, read: map[string]graph.Limits{}}
}

// set takes the settings of a topic over at the start.
func (l *limits) set(topic string, settings map[string]string) {
	l.topics[topic] = new(graph.Limits)
	l.setBatch(topic, settings)
}

// setBatch is set for a topic that no sink writes.
func (l *limits) setBatch(topic string, settings map[string]string) {
	l.batches[topic] = new(atomic.Int32)
	delete(l.read, topic)
	l.change(topic, settings)
}

// change reports whether the settings of a topic are others than before.
func (l *limits) change(topic string, settings map[string]string) bool {
	now := takes(settings)
	if was, known := l.read[topic]; l.batches[topic] == nil || known && was == now {
		return false
	}
	l.read[topic] = now
	if is := l.topics[topic]; is != nil {
		*is = now
	}
	l.batches[topic].Store(int32(now.MaxBytes))
	return true
}

// leastLetter is the size below which no dead letter is made smaller.
const leastLetter = 1 << 10

// written lists the topics whose settings are known: all that are written to.
func (l *limits) written() []string { return slices.Sorted(maps.Keys(l.batches)) }

// assume makes the limits of a topic stricter than its settings say, or than they
// could be read, because it refuses a record for this reason. It reports whether
// there was something left to assume. That is for topics to which everything can
// be fitted without a loss: dead letters.
func (l *limits) assume(topic string, reason error) bool {
	is := l.topics[topic]
	if is == nil {
		return false
	}
	was := *is
	switch {
	case errors.Is(reason, kerr.InvalidTimestamp):
		is.Before, is.After = 0, 0
	case errors.Is(reason, kerr.InvalidRecord):
		is.Compacted = true
	case errors.Is(reason, kerr.MessageTooLarge), errors.Is(reason, kerr.RecordListTooLarge):
		is.MaxBytes = max(is.MaxBytes/2, leastLetter)
		l.batches[topic].Store(int32(is.MaxBytes))
	}
	return *is != was
}

// largestBatch is the size of batches for a topic: a larger one would be
// refused as a whole.
func (l *limits) largestBatch(topic string) int32 {
	if n := l.batches[topic]; n != nil {
		return n.Load()
	}
	return producerBatch
}

// largestEntry is how many bytes key and value of a record may have together where
// there is nothing else in its batch.
func (l *limits) largestEntry(topic string) int { return graph.Bare(int(l.largestBatch(topic))) }

func largest(settings map[string]string) int64 {
	if n, err := strconv.ParseInt(settings[configMaxBytes], 10, 64); err == nil && n > 0 {
		return min(n, batchBytesLimit)
	}
	return producerBatch
}

// takes reads settings; what the broker does not say is no limit.
func takes(settings map[string]string) graph.Limits {
	bound := func(name string) int64 {
		ms, err := strconv.ParseInt(settings[name], 10, 64)
		if (err != nil || ms == math.MaxInt64) && name != configTimestampApart {
			ms, err = strconv.ParseInt(settings[configTimestampApart], 10, 64) // it holds where the newer one is not set
		}
		if err != nil || ms < 0 {
			return graph.NoBound
		}
		return ms
	}
	l := graph.Limits{
		MaxBytes: int(largest(settings)), Before: graph.NoBound, After: graph.NoBound,
		Compacted: slices.Contains(strings.Split(settings[configCleanup], ","), "compact"),
	}
	if settings[configTimestampType] == createTime {
		l.Before, l.After = bound(configTimestampBefore), bound(configTimestampAfter)
	}
	return l
}

// How often the settings of topics are read again, and how long that may take.
const (
	rereadInterval = 5 * time.Minute
	rereadTimeout  = 5 * time.Second
)

// topicsRead is what an errand brings: the settings by topic.
type topicsRead struct {
	settings map[string]map[string]string
	err      error
}

// rereadLimits sees to it that the tasks know what topics take whose settings
// somebody has changed. A failure is told, and tried again as late as a success.
func (w *Worker) rereadLimits(ctx context.Context) {
	if read, ok := w.reread.back(); ok {
		if read.err != nil && ctx.Err() == nil {
			w.cfg.Events.warning(fmt.Errorf("what topics take cannot be read again: %w", read.err))
		}
		for topic, settings := range read.settings {
			w.learn(topic, settings)
		}
	}
	if w.reread.away || time.Since(w.lastRead) < rereadInterval {
		return
	}
	w.lastRead = time.Now()
	topics, admin := w.catalog.written(), kadm.NewClient(w.fetcher.client)
	if len(topics) == 0 {
		return
	}
	w.reread.run(&w.waker, func() (read topicsRead) {
		ctx, cancel := context.WithTimeout(ctx, rereadTimeout)
		defer cancel()
		read.settings, read.err = topicSettings(ctx, admin, topics...)
		return read
	})
}

// relearn reads the settings of a topic that has refused a record. It reports
// whether they are others than were known.
func (w *Worker) relearn(ctx context.Context, topic string) bool {
	asking, cancel := context.WithTimeout(ctx, rereadTimeout)
	defer cancel()
	all, err := topicSettings(asking, kadm.NewClient(w.fetcher.client), topic)
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
	changed := w.catalog.change(topic, settings)
	for l := range w.running() {
		l.setLimits(w.catalog, w.cfg.ApplicationID)
	}
	return changed
}

// warnOfBounds tells at the start, once in a process, of sinks that are going to
// refuse what their sources believe, or what windows send as a bounded run ends.
func (w *Worker) warnOfBounds() {
	if w.cfg.Index > 0 {
		return
	}
	now := windowing.EventTime(w.cfg.Now().UnixMilli())
	source, ahead := furthest(w.cfg.Graph)
	operator, final := latestFinal(w.cfg.Graph, now)
	if topics, bound := w.narrower(ahead.Milliseconds()); topics != "" {
		w.cfg.Events.warning(fmt.Errorf("source %q believes records up to %v ahead of the clock (MaxAhead of its watermarks), and the topics %s take no time beyond %v (%s): results between go to the error policy as refused, and such a record makes what follows it late; lower MaxAhead, which keeps it out as future; or raise that setting, or give To the option ClampTime", source, ahead, topics, bound, configTimestampAfter))
	}
	if topics, bound := w.narrower(int64(final - now)); topics != "" && w.cfg.run() != "" {
		w.cfg.Events.warning(fmt.Errorf("windows of %q that are open at the end of the run may end later than the topics %s take, which is %v ahead of the clock (%s): such results go to the error policy as refused; raise that setting, or give To the option ClampTime", operator, topics, bound, configTimestampAfter))
	}
}

// narrower lists the sinks that take no time so far ahead of the clock, in ms, and
// the least bound of theirs; none are those that bring times into their bounds.
func (w *Worker) narrower(ahead int64) (topics string, least time.Duration) {
	bound := int64(math.MaxInt64 / int64(time.Millisecond))
	var names []string
	for _, sub := range w.cfg.Graph.Subtopologies() {
		for _, n := range sub.Nodes {
			if n.Kind != graph.SinkNode || n.Internal || n.Clamped {
				continue
			}
			if after := w.catalog.topics[n.Topic].After; after < ahead {
				names, bound = append(names, n.Topic), min(bound, after)
			}
		}
	}
	slices.Sort(names)
	return strings.Join(quoteAll(slices.Compact(names)), ", "), time.Duration(bound) * time.Millisecond
}

// furthest is the source that believes the records that are furthest ahead.
func furthest(g *graph.Topology) (topic string, ahead time.Duration) {
	for _, sub := range g.Subtopologies() {
		for _, n := range sub.Nodes {
			if n.Kind == graph.SourceNode && !n.Internal && n.Watermarks.Ahead() > ahead {
				topic, ahead = n.Topic, n.Watermarks.Ahead()
			}
		}
	}
	return topic, ahead
}

// latestFinal is the time of the latest result of a window that a record of now is
// in, where windows send results of their own time. A window without end has none.
func latestFinal(g *graph.Topology, now windowing.EventTime) (operator string, at windowing.EventTime) {
	at = now
	for _, sub := range g.Subtopologies() {
		for _, n := range sub.Nodes {
			if n.Windows == nil || n.Windows.Emission() != windowing.OnClose && n.Windows.Emission() != windowing.OnTime {
				continue
			}
			if win, ok := n.Windows.Latest(now); ok && win.End != windowing.MaxTime && win.End-1 > at {
				operator, at = n.Name, win.End-1
			}
		}
	}
	return operator, at
}
