package processor

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/millrace/millrace/processor/internal/reset"
	"github.com/millrace/millrace/processor/internal/worker"
	"github.com/millrace/millrace/state"
)

// Guarantee is how often a record counts.
type Guarantee = worker.Guarantee

// The guarantees, by Kafka Streams' names exactly_once_v2 and at_least_once.
const (
	ExactlyOnce = worker.ExactlyOnce
	AtLeastOnce = worker.AtLeastOnce
)

// Limits of a Config.
const (
	minCommitInterval  = time.Millisecond
	maxWorkers         = 1024
	defaultInterval    = 100 * time.Millisecond
	minStateMemory     = 16 << 20
	defaultTransaction = 10 * time.Second
	defaultSession     = 45 * time.Second
	defaultHeartbeat   = 3 * time.Second
	defaultDrain       = 30 * time.Second
	// The client takes no shorter session; Kafka's protocol has room for no
	// longer timeout.
	minSession = 100 * time.Millisecond
	maxTimeout = math.MaxInt32 * time.Millisecond
	// unlimitedStateMemory is the default where the Go runtime has no limit.
	unlimitedStateMemory = 1 << 30
)

// Config is how an application runs. ApplicationID and Brokers are needed; the
// zero value of everything else is its default. New takes a copy.
type Config struct {
	// ApplicationID (application.id) names the consumer group, the prefix of
	// the changelog topics and of the transactional ids.
	ApplicationID string
	// Brokers (bootstrap.servers) are the first addresses to ask.
	Brokers []string
	// StateDir (state.dir) holds a directory for each application; the default
	// is "millrace" in the system's temporary directory. One process uses it at a
	// time: two of one application on a host need two.
	StateDir string
	// StateMemory is how many bytes of state this process may keep in memory,
	// beside what is not committed yet (statestore.cache.max.bytes, and what
	// RocksDB has): decoded values, caches and write buffers of all its tasks.
	// The default is half of GOMEMLIMIT, or 1 GiB where that is not set; at
	// least 16 MiB. State that is larger is read from disk. It is no hard
	// limit: the write buffers of many tasks that write at once go beyond it.
	StateMemory int64
	// Guarantee (processing.guarantee); the default is ExactlyOnce.
	Guarantee Guarantee
	// Workers (num.stream.threads) is the number of group members in this
	// process, each with its own tasks and transactions; default 1, at most
	// 1024.
	Workers int
	// CommitInterval (commit.interval.ms) is the time between commits; default
	// 100 ms, at most 12 days, half of the longest TransactionTimeout. An idle
	// application does not commit.
	CommitInterval time.Duration
	// CommitRecords commits as soon as this many records were processed, if
	// that comes before the interval; 0 is the worker's own bound.
	CommitRecords int
	// MaxTaskIdle (max.task.idle.ms) is how long a task with several source
	// topics waits for one that is empty before it goes on with the others:
	// negative not at all; 0, the default, for what is known to be on the
	// broker; above 0 so much longer.
	MaxTaskIdle time.Duration
	// TransactionTimeout (transaction.timeout.ms) is how long the broker lets a
	// silent worker block readers; default 10 s, at least twice the commit
	// interval.
	TransactionTimeout time.Duration
	// SessionTimeout and HeartbeatInterval (session.timeout.ms,
	// heartbeat.interval.ms) are the consumer group's; 0 is 45 s and 3 s. The
	// heartbeat must be the shorter: set both for a session of 3 s or less, or a
	// heartbeat of 45 s or more.
	SessionTimeout, HeartbeatInterval time.Duration
	// Drain bounds the last commit of a stop; default 30 s. What cannot be
	// committed by then is processed again by whoever takes over.
	Drain time.Duration
	// Version of the application, told in dead letters.
	Version string
	// BoundedRun makes this a bounded run of that name: it ends where each
	// source partition ended when the run first looked at it, which is at the
	// start for those that have a worker then, fires everything that is open, and
	// returns nil. The same name again does nothing. What it has closed stays
	// closed, so a live application cannot go on from its end: run it under an
	// application id of its own.
	BoundedRun string
	// AcceptRemade names topics that were deleted and made anew since the
	// application ran last, and whose loss is accepted: changelogs, whose stores
	// then begin empty, and repartition topics, whose readers then keep their
	// stores and begin at the start of the new topic, by their full names: New
	// refuses others. A start that finds such a topic is refused otherwise, and
	// leaves local state as it is. Once each task that writes or reads the topic
	// has committed, it need not be named any more.
	AcceptRemade []string
	// Client is added to the options of every Kafka client: TLS, SASL, dialing,
	// compression, retries, timeouts of requests, hooks, the rack. What decides
	// who reads and writes what, when it counts, and how commits are batched is
	// the runtime's, and refused by name.
	Client []kgo.Opt
	// Listen serves /metrics, /livez and /readyz on this address; empty is off.
	// An App is alive until it fails, and ready while all workers have a seat in
	// the group, the broker that keeps the group answers, and all tasks run.
	Listen string
	// DebugListen serves /debug/time on this address, a listener of its own: what
	// it shows is for those who run the application. A port without a host is
	// opened on the loopback interface only; empty is off.
	DebugListen string
	// Logger takes what is worth a line; nil logs nothing, not even warnings:
	// then set Events.Warning.
	Logger *zap.Logger
	// Registerer takes the metrics, from New until Run has ended; nil is a
	// registry of the App's own, served on Listen. It takes one App of an
	// application id at a time.
	Registerer prometheus.Registerer
	// Events is told what happens, for tests and for metrics of one's own.
	Events EventListener
}

func (c Config) withDefaults() Config {
	if c.StateDir == "" {
		c.StateDir = filepath.Join(os.TempDir(), "millrace")
	}
	if c.StateMemory == 0 {
		c.StateMemory = defaultStateMemory(debug.SetMemoryLimit(-1))
	}
	if c.Workers == 0 {
		c.Workers = 1
	}
	if c.CommitInterval == 0 {
		c.CommitInterval = defaultInterval
	}
	if c.TransactionTimeout == 0 {
		c.TransactionTimeout = max(defaultTransaction, 2*min(c.CommitInterval, maxTimeout/2))
	}
	c.SessionTimeout = cmp.Or(c.SessionTimeout, defaultSession)
	c.HeartbeatInterval = cmp.Or(c.HeartbeatInterval, defaultHeartbeat)
	if c.Drain == 0 {
		c.Drain = defaultDrain
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	return c
}

// defaultStateMemory is half of the limit that the Go runtime keeps to.
func defaultStateMemory(limit int64) int64 {
	if limit == math.MaxInt64 {
		return unlimitedStateMemory
	}
	return max(limit/2, minStateMemory)
}

// Validate returns every complaint about c at once, nil if there is none.
func (c Config) Validate() error {
	d := c.withDefaults()
	var errs []error
	complain := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("processor: "+format, args...))
		}
	}
	if err := state.LegalName(d.ApplicationID); err != nil {
		errs = append(errs, fmt.Errorf("processor: ApplicationID: %w", err))
	}
	complain(len(d.Brokers) == 0, "Brokers is empty: name at least one host:port")
	complain(d.Guarantee != ExactlyOnce && d.Guarantee != AtLeastOnce, "Guarantee %d is neither ExactlyOnce nor AtLeastOnce", d.Guarantee)
	complain(d.Workers < 0 || d.Workers > maxWorkers, "Workers is %d, not from 1 to %d", d.Workers, maxWorkers)
	complain(d.StateMemory < minStateMemory, "StateMemory is %d bytes, less than %d", d.StateMemory, minStateMemory)
	complain(d.CommitInterval < minCommitInterval, "CommitInterval is %v, less than %v", d.CommitInterval, minCommitInterval)
	complain(d.CommitRecords < 0, "CommitRecords is %d", d.CommitRecords)
	complain(d.TransactionTimeout/2 < d.CommitInterval, "TransactionTimeout %v is less than twice the CommitInterval %v", d.TransactionTimeout, d.CommitInterval)
	complain(d.TransactionTimeout > maxTimeout, "TransactionTimeout is %v, more than %v", d.TransactionTimeout, maxTimeout)
	complain(d.SessionTimeout < minSession || d.SessionTimeout > maxTimeout, "SessionTimeout is %v, not from %v to %v", d.SessionTimeout, minSession, maxTimeout)
	complain(d.HeartbeatInterval < 0, "HeartbeatInterval %v is negative", d.HeartbeatInterval)
	complain(d.HeartbeatInterval >= d.SessionTimeout, "HeartbeatInterval %v is not below SessionTimeout %v", d.HeartbeatInterval, d.SessionTimeout)
	complain(d.Drain < 0, "Drain is %v", d.Drain)
	errs = append(errs, checkClient(d.Client))
	complain(len(d.BoundedRun) > maxRunName, "BoundedRun is longer than %d bytes", maxRunName)
	return errors.Join(errs...)
}

// maxRunName bounds the name of a bounded run, which is kept in the metadata of
// every offset commit.
const maxRunName = 255

// checkRemade complains of names that are of no internal topic of the application.
func (c *Config) checkRemade(t *Topology) error {
	own := reset.InternalTopics(t, c.ApplicationID)
	var errs []error
	for _, topic := range c.AcceptRemade {
		if !slices.Contains(own, topic) {
			errs = append(errs, fmt.Errorf("processor: AcceptRemade names %q, which is no internal topic of the application; those are %q", topic, own))
		}
	}
	return errors.Join(errs...)
}
