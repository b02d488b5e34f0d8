package workload

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Parameters of the contract's workloads, in ms of event time.
const (
	windowSize = 10_000
	hopAdvance = 1_000
	sessionGap = 1_000
	joinWindow = 5_000
)

// Sizes of output values in bytes.
const (
	countSize  = 8  // int64 count
	joinedSize = 16 // two int64 amounts
)

// Check recomputes a workload's truth from its input and compares it with the
// committed content of the sink. It shares no code with any contender.
//
// Update mode (tumble, hop, session, dedupkeys): the last value of every output
// key equals the truth; a tombstone means the key is absent. Final mode
// (tumblefinal, hopfinal, sessionfinal): exactly one row per output key, never a
// tombstone. Record mode (map, copy, ssjoin, stjoin): the sink and the truth are
// equal as multisets of (key, value). Flush records count in no mode.
//
// Lateness is judged per input partition: stream time is the greatest timestamp
// seen so far in it, including the current record. A record counts in a window
// if the window's end (exclusive) is after stream time - grace. A record counts
// in a session if the end of the session it makes or joins is not before stream
// time - grace - gap. In final mode a window is closed, and its row due, once its
// end is at or before stream time - grace, a session once its end is before
// stream time - grace - gap; at the end of an input with flush records all are.
// With jitter 0, or with grace = jitter, nothing is late and the truth does not
// depend on any rule. Joins take no record as late: the truth is every pair of
// equal keys with |dt| <= 5 s, so a contender needs a grace that covers the
// disorder between the two topics. The table of stjoin is the last value per key
// of the whole table topic.
type Check struct {
	Cluster Cluster
	// Workload is one of Workloads.
	Workload string
	// Inputs are the input topics: two for joins, LEFT and RIGHT or STREAM and
	// TABLE, else one.
	Inputs []string
	// Sink is the output topic.
	Sink string
	// Grace in ms, for windows and sessions.
	Grace int64
	// Slack in ms grants a contender in final mode that rows of windows closed
	// within this much event time of the stream's end are missing: some look for
	// closed windows only now and then.
	Slack int64
}

// comparison is how one workload is checked.
type comparison struct {
	name   string
	inputs int
	run    func(ctx context.Context, c *Check, v *Verdict) error
}

func comparisons() []comparison {
	return []comparison{
		{"map", 1, eachCheck(scaled)},
		{"copy", 1, eachCheck(copied)},
		{"tumble", 1, countCheck(tumbling)},
		{"tumblefinal", 1, finalCheck(tumbling)},
		{"hop", 1, countCheck(hopping)},
		{"hopfinal", 1, finalCheck(hopping)},
		{"session", 1, countCheck(bySession)},
		{"sessionfinal", 1, finalCheck(bySession)},
		{"dedupkeys", 1, countCheck(perKey)},
		{"ssjoin", 2, checkStreamJoin},
		{"stjoin", 2, checkTableJoin},
	}
}

// Workloads lists the names a Check knows.
func Workloads() (names []string) {
	for _, c := range comparisons() {
		names = append(names, c.name)
	}
	return names
}

// Run reads input and sink. The error says why they could not be compared; what
// the comparison found is in the verdict.
func (c Check) Run(ctx context.Context) (*Verdict, error) {
	all := comparisons()
	i := slices.IndexFunc(all, func(k comparison) bool { return k.name == c.Workload })
	switch {
	case i < 0:
		return nil, fmt.Errorf("workload: unknown workload %q, want one of %s", c.Workload, strings.Join(Workloads(), ", "))
	case len(c.Inputs) != all[i].inputs:
		return nil, fmt.Errorf("workload: %s has %d input topics, got %d", c.Workload, all[i].inputs, len(c.Inputs))
	}
	began := time.Now()
	v := &Verdict{Workload: c.Workload}
	if err := all[i].run(ctx, &c, v); err != nil {
		return nil, err
	}
	v.Took = time.Since(began)
	return v, nil
}

// readInput calls fn with every record of an input topic, but flush (if not nil)
// with the flush records.
func (c *Check) readInput(ctx context.Context, v *Verdict, topic string, fn func(r *kgo.Record, id uint64), flush func(r *kgo.Record)) error {
	return c.Cluster.scan(ctx, topic, func(r *kgo.Record) error {
		id, ok := ParseKey(r.Key)
		switch {
		case !ok || len(r.Value) < MinValueSize:
			return fmt.Errorf("workload: topic %s is no input topic: bad record at partition %d offset %d", topic, r.Partition, r.Offset)
		case !IsFlush(id):
			v.Input++
			fn(r, id)
		default:
			v.Flush++
			if flush != nil {
				flush(r)
			}
		}
		return nil
	})
}

// readSink calls fn with every committed record of the sink that is not of a
// flush key.
func (c *Check) readSink(ctx context.Context, v *Verdict, fn func(r *kgo.Record)) error {
	return c.Cluster.scan(ctx, c.Sink, func(r *kgo.Record) error {
		if !isFlushRow(r.Key) {
			v.Sink++
			fn(r)
		}
		return nil
	})
}
