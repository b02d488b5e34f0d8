package stream

import (
	"fmt"
	"strconv"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/windowing"
)

// completenessSuffix makes the name of a completeness topic from that of the
// topic it is about.
const completenessSuffix = ".watermarks"

// HeaderTasks is the header of a completeness record that says how many tasks
// write the topic, so how many keys the completeness topic is going to have.
const HeaderTasks = "__millrace.tasks"

// Completeness has To write, for whoever analyses its topic, up to which time
// the topic is complete. It goes to a topic of its own, <topic>.watermarks, that
// must exist and should be compacted. Each task that writes the topic has one
// key there: its number in decimal, from 0, the partition of the task's input.
// The value is a time in decimal ms since epoch: what the task still has to
// write carries no earlier one, unless it is late. It is in the transaction of
// the records it is about, whenever it has moved since the last commit. Its
// Kafka timestamp is the same time, brought into the bounds that the topic takes.
//
// The topic is complete up to the lowest value once there are as many keys as
// the header HeaderTasks says; of the values of one key the highest counts, for
// after a restart an earlier one may come once more.
func Completeness() Option { return func(o *options) { o.completeness = true } }

// A completeness is what tells the readers of a sink's topic how far the time
// has come there, in one task.
type completeness struct {
	env       *graph.Env
	topic     string
	key       []byte
	partition int32
	headers   []graph.Header
	limits    *graph.Limits
	now, told windowing.EventTime
}

func newCompleteness(env *graph.Env, node *graph.Node) (*completeness, error) {
	partitions, known := env.Partitions[node.Completeness]
	if !known || partitions <= 0 {
		return nil, fmt.Errorf("topic %q, for the completeness of %q: the number of partitions is unknown", node.Completeness, node.Topic)
	}
	key := strconv.AppendInt(nil, int64(env.Task), 10)
	return &completeness{
		env: env, topic: node.Completeness, key: key, partition: env.Partition(key, partitions), limits: env.LimitsOf(node.Completeness),
		headers: []graph.Header{{Key: HeaderTasks, Value: strconv.AppendInt(nil, int64(env.Tasks), 10)}},
		now:     windowing.NoTime, told: windowing.NoTime,
	}, nil
}

// Pass implements graph.Teller.
func (c *completeness) Pass(t graph.Time) { c.now = max(c.now, t.Watermark) }

// Owes implements graph.Teller.
func (c *completeness) Owes() bool { return c.now > c.told }

// Tell implements graph.Teller. What it says does not run out, so there is
// nothing to renew.
func (c *completeness) Tell(bool) error {
	if !c.Owes() {
		return nil
	}
	out := graph.Out{
		Topic: c.topic, Partition: c.partition, Timestamp: c.limits.Clamp(max(int64(c.now), 0), c.env.Wall),
		Key: c.key, Value: strconv.AppendInt(nil, int64(c.now), 10), Headers: c.headers,
	}
	if !c.limits.Takes(&out, c.env.Wall) {
		return c.limits.Why(&out, c.env.Wall)
	}
	c.told = c.now
	c.env.Outbox.Send(out)
	return nil
}
