package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// Guarantee is how often a record can show in the results.
type Guarantee uint8

// The guarantees.
const (
	ExactlyOnce Guarantee = iota // outputs, state and offsets in one transaction
	AtLeastOnce                  // flushed, then committed: a crash repeats the last interval
)

func (g Guarantee) String() string {
	if g == AtLeastOnce {
		return "at_least_once"
	}
	return "exactly_once_v2"
}

// Config is all a worker is made of. ApplicationID, Graph, Storage and Client
// are required; the zero value of everything else has a default.
type Config struct {
	// ApplicationID is the consumer group and the prefix of every internal
	// name.
	ApplicationID string
	// Version of the application, for dead letters. May be empty.
	Version string
	// Index tells apart the workers of one process, which share its Storage.
	Index int
	Graph *graph.Topology
	// Storage is where the state lives. It is not closed by the worker.
	Storage state.Storage
	// Client are the options of all connections: seed brokers, security,
	// dialer.
	Client []kgo.Opt

	Guarantee Guarantee
	// CommitInterval is the time between two commits while there is something
	// to commit. Default 100 ms.
	CommitInterval time.Duration
	// CommitRecords and CommitBytes end an interval early. Defaults 200 000
	// records and 64 MiB of outputs and state.
	CommitRecords, CommitBytes int
	// SessionTimeout, RebalanceTimeout and HeartbeatInterval are those of the
	// consumer group. Defaults 45 s, 60 s and 3 s.
	SessionTimeout, RebalanceTimeout, HeartbeatInterval time.Duration
	// TransactionTimeout is how long a crashed worker can hold back
	// read-committed readers. Default 10 s, at least twice CommitInterval.
	TransactionTimeout time.Duration
	// Drain bounds the last commits of an orderly stop. Default 30 s.
	Drain time.Duration
	// TurnRecords bounds the records of one turn. Default 2000.
	TurnRecords int
	// QueueRecords is how many records of one partition may wait before no more
	// are fetched. Default 10 000.
	QueueRecords int
	// QueueBytes is how many bytes of all partitions together may wait before no
	// more are fetched; each partition has an equal part. What one fetch brings
	// comes on top. Default 64 MiB.
	QueueBytes int
	// MaxTaskIdle is how long a task with several inputs waits for one that is
	// empty before it goes on without it: negative not at all; 0 for what is
	// known to be on the broker; above 0 so much longer.
	MaxTaskIdle time.Duration
	// Bounded makes the run end where its inputs ended when it was first
	// started. Nil for a live run.
	Bounded *BoundedRun
	// AcceptRemade names topics that were deleted and made anew whose loss is
	// accepted: changelogs, whose stores then begin empty, and repartition topics.
	AcceptRemade []string
	// Now is the wall clock that bounds event time and dates commits. It may be
	// set, forward and back, so no span is measured by it but the age of a state
	// that was closed. Default time.Now.
	Now func() time.Time
	// Elapsed is how much time has passed since some moment, by a clock that is
	// never set: tasks wait, and believe what was said of idle ones, by it.
	// Default is since the worker was made.
	Elapsed func() time.Duration

	Events Events
	Faults Faults
}

// A BoundedRun names a run over history. The same name is the same run, with
// the same end, however often it is started.
type BoundedRun struct{ Run string }

// run returns the name of the bounded run, empty live.
func (c *Config) run() string {
	if c.Bounded == nil {
		return ""
	}
	return c.Bounded.Run
}

// maxIdle is MaxTaskIdle in ms, rounded away from zero: that has a meaning of
// its own, and -1 ns is as negative as Kafka Streams' -1 ms.
func (c *Config) maxIdle() int64 {
	switch d := c.MaxTaskIdle; {
	case d < 0:
		return min(d.Milliseconds(), -1)
	case d > 0:
		return max(d.Milliseconds(), 1)
	}
	return 0
}

// moment is now.
func (c *Config) moment() task.Moment {
	return task.Moment{Wall: c.Now().UnixMilli(), Elapsed: c.Elapsed().Milliseconds()}
}

func (c *Config) setDefaults() {
	orDuration(&c.CommitInterval, 100*time.Millisecond)
	orDuration(&c.SessionTimeout, 45*time.Second)
	orDuration(&c.RebalanceTimeout, 60*time.Second)
	orDuration(&c.HeartbeatInterval, 3*time.Second)
	orDuration(&c.TransactionTimeout, max(10*time.Second, 2*c.CommitInterval))
	orDuration(&c.Drain, 30*time.Second)
	orInt(&c.CommitRecords, commit.DefaultRecords)
	orInt(&c.CommitBytes, 64<<20)
	orInt(&c.TurnRecords, 2000)
	orInt(&c.QueueRecords, 10_000)
	orInt(&c.QueueBytes, 64<<20)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Elapsed == nil {
		began := time.Now()
		c.Elapsed = func() time.Duration { return time.Since(began) }
	}
}

func orDuration(d *time.Duration, def time.Duration) {
	if *d == 0 {
		*d = def
	}
}

func orInt(n *int, def int) {
	if *n == 0 {
		*n = def
	}
}

// validate returns all complaints at once.
func (c *Config) validate() error {
	var errs []error
	complain := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	complain(c.ApplicationID == "", "no application id")
	complain(c.Graph == nil, "no topology")
	complain(c.Storage == nil, "no storage")
	complain(len(c.Client) == 0, "no client options: the seed brokers are among them")
	complain(c.CommitInterval < 0, "commit interval %v is negative", c.CommitInterval)
	complain(c.TransactionTimeout/2 < c.CommitInterval, "transaction timeout %v is below twice the commit interval %v", c.TransactionTimeout, c.CommitInterval)
	complain(c.CommitRecords < 0 || c.CommitBytes < 0 || c.TurnRecords < 0 || c.QueueRecords < 0 || c.QueueBytes < 0, "a limit is negative")
	complain(c.Bounded != nil && (c.Bounded.Run == "" || len(c.Bounded.Run) > runNameLimit), "the name of a bounded run has 1 to %d bytes", runNameLimit)
	if c.Graph != nil {
		errs = append(errs, tooManyTopics(c.Graph))
	}
	return errors.Join(errs...)
}

// tooManyTopics refuses sub-topologies with more internal topics than the offsets
// can remember: a changelog that is lost would be taken for a new one.
func tooManyTopics(g *graph.Topology) error {
	var errs []error
	for _, sub := range g.Subtopologies() {
		if n := len(sub.Stores) + len(sub.Feeds); n > task.TopicsMax {
			errs = append(errs, fmt.Errorf("sub-topology %d, which reads %q, writes %d changelogs and repartition topics, %d are allowed: divide its operators among two applications, or put a Repartition between", sub.ID, sub.Sources, n, task.TopicsMax))
		}
	}
	return errors.Join(errs...)
}

// runNameLimit bounds the name of a run, which lies in the metadata of every
// offset commit.
const runNameLimit = 255

// written are the internal topics that this version writes.
func (c *Config) written() (topics []string) {
	for _, sub := range c.Graph.Subtopologies() {
		for _, s := range sub.Stores {
			topics = append(topics, s.ChangelogTopic(c.ApplicationID))
		}
		topics = append(topics, sub.Feeds...)
	}
	return topics
}
