package topics

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
)

// The sizes of batches, in bytes.
const (
	defaultBatch    = 1_000_000 // where the topic does not say
	batchBytesLimit = 16 << 20  // what it says beyond this is not used
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
	read    map[string]graph.Limits  // what the settings said last; topics may be stricter, see Assume
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
	l.Change(topic, settings)
}

// Change takes the settings of a topic over and reports whether they are others
// than before.
func (l *limits) Change(topic string, settings map[string]string) bool {
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

// Written lists the topics whose settings are known: all that are written to.
func (l *limits) Written() []string { return slices.Sorted(maps.Keys(l.batches)) }

// Assume makes the limits of a topic stricter than its settings say, or than they
// could be read, because it refuses a record for this reason. It reports whether
// there was something left to assume. That is for topics to which everything can
// be fitted without a loss: dead letters.
func (l *limits) Assume(topic string, reason error) bool {
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

// LargestBatch is the size of batches for a topic: a larger one would be
// refused as a whole. Any goroutine may ask.
func (l *limits) LargestBatch(topic string) int32 {
	if n := l.batches[topic]; n != nil {
		return n.Load()
	}
	return defaultBatch
}

// LargestEntry is how many bytes key and value of a record may have together where
// there is nothing else in its batch.
func (l *limits) LargestEntry(topic string) int { return graph.Bare(int(l.LargestBatch(topic))) }

func largest(settings map[string]string) int64 {
	if n, err := strconv.ParseInt(settings[configMaxBytes], 10, 64); err == nil && n > 0 {
		return min(n, batchBytesLimit)
	}
	return defaultBatch
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
		Compacted: compacted(settings),
	}
	if settings[configTimestampType] == createTime {
		l.Before, l.After = bound(configTimestampBefore), bound(configTimestampAfter)
	}
	return l
}

// leastLetter is the size below which no dead letter is made smaller.
const leastLetter = 1 << 10

// readLimits learns what the topics take that are written to. Who may not read
// their settings gets the client's defaults.
func (s *clusterCheck) readLimits(ctx context.Context) error {
	for _, topic := range s.cfg.Graph.SinkTopics() {
		settings, err := s.settings(ctx, topic)
		if err != nil && !broker.Permanent(err) {
			return err
		}
		s.limits.set(topic, settings)
	}
	return nil
}

// Limits says what the topics take that tasks write to. The map and what it points
// to are changed by Change and Assume only, on the worker's goroutine.
func (l *limits) Limits() map[string]*graph.Limits { return l.topics }
