package compare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/cmd/internal/proc"
	"github.com/millrace/millrace/cmd/internal/workload"
)

// What every input has, beside the number of its keys and records, unless its Shape says
// otherwise.
const (
	partitions = 8
	valueSize  = 100
	eventRate  = 50_000
	batchBytes = 64 << 10
	flushAhead = time.Minute
)

// A Shape is how an input differs from the others; 0: not at all.
type Shape struct {
	// Partitions of the input and of the sink.
	Partitions int
	// EventRate is the number of records per second of event time.
	EventRate int64
	// Zipf is the exponent of the keys' distribution.
	Zipf float64
}

func (s Shape) partitions() int  { return cmp.Or(s.Partitions, partitions) }
func (s Shape) eventRate() int64 { return cmp.Or(s.EventRate, eventRate) }

const (
	// stopTimeout bounds how long a contender may take to stop when asked to.
	stopTimeout = 30 * time.Second
	// graceTime is what a contender gets beyond its own limit before it is killed, in
	// seconds.
	graceTime = 30
)

// A Site is where runs are made: one broker, and a folder for what they leave.
type Site struct {
	Cluster   workload.Cluster
	Brokers   string
	BrokerPID int
	Tools     Tools
	// Dir takes a folder for each run; those of good runs are removed.
	Dir string
	// Limit of one run in seconds.
	Limit int
	// Talk is told what happens.
	Talk io.Writer

	adm    *kadm.Client
	loaded map[string]bool // input topics that are there
	count  int             // runs made
}

// Open connects to the broker and waits until it is Ready. Close ends the connection.
func (s *Site) Open(ctx context.Context) error {
	cl, err := s.Cluster.Client()
	if err != nil {
		return err
	}
	s.adm, s.loaded = kadm.NewClient(cl), make(map[string]bool)
	return Ready(ctx, s.adm)
}

// Close ends what Open began. Topics stay.
func (s *Site) Close() { s.adm.Close() }

// inputOf names the input of a row: rows with the same name share the topic.
func inputOf(load Load, row Row) string {
	name := fmt.Sprintf("in-k%d-n%d-s%d", load.Keys, row.Records, row.Seed)
	if load.Partitions > 0 {
		name += fmt.Sprintf("-p%d", load.Partitions)
	}
	if load.EventRate > 0 {
		name += fmt.Sprintf("-r%d", load.EventRate)
	}
	if load.Zipf > 0 {
		name += fmt.Sprintf("-z%g", load.Zipf)
	}
	return name
}

// Prepare deletes the inputs that no step needs any more and loads the one of the
// next. A broker's log keeps deleted topics for a second only, so that space is
// bounded by what is in use.
func (s *Site) Prepare(ctx context.Context, sel Selection, left []Step) error {
	if len(left) == 0 || left[0].Load.Rate > 0 {
		return nil
	}
	needed := make(map[string]bool)
	for _, step := range left {
		needed[inputOf(step.Load, sel.Row(step))] = true
	}
	for topic := range s.loaded {
		if !needed[topic] {
			if err := s.Cluster.DeleteTopic(ctx, topic); err != nil {
				return err
			}
			delete(s.loaded, topic)
		}
	}
	row := sel.Row(left[0])
	topic := inputOf(left[0].Load, row)
	if s.loaded[topic] {
		return nil
	}
	if err := s.load(ctx, topic, left[0].Load, row); err != nil {
		return err
	}
	s.loaded[topic] = true
	return nil
}

func (s *Site) load(ctx context.Context, topic string, l Load, row Row) error {
	if err := proc.Pin(s.BrokerPID, proc.AllCores()); err != nil {
		return err
	}
	gen, err := workload.NewGen(workload.Parameters{Keys: l.Keys, Zipf: l.Zipf, ValueSize: valueSize, Rate: l.eventRate(), Seed: row.Seed})
	if err != nil {
		return err
	}
	in, err := workload.NewInput(gen, row.Records, l.partitions(), flushAhead)
	if err != nil {
		return err
	}
	done, err := workload.Load{Cluster: s.Cluster, Input: in, Topic: topic, BatchBytes: batchBytes}.Run(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Talk, "%s: %d records in %.1f s\n", topic, done.Records, done.Took.Seconds())
	return s.warm(ctx, topic, done.Records)
}

// warm reads an input once, so that not even the first contender meets a broker that
// has never served it.
func (s *Site) warm(ctx context.Context, topic string, records int64) error {
	cl, err := s.Cluster.Client(kgo.ConsumeTopics(topic), kgo.FetchMaxPartitionBytes(4<<20))
	if err != nil {
		return err
	}
	defer cl.Close()
	for records > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("compare: reading %s: %w", topic, err)
		}
		records -= int64(fetches.NumRecords())
	}
	return nil
}

// Do makes one run. The error says that it could not be made; what the contender did
// wrong is in the result's Check.
func (s *Site) Do(ctx context.Context, sel Selection, step Step, history []Result) (r Result, err error) {
	row := sel.Row(step)
	r = Result{Row: row, At: time.Now().UTC().Truncate(time.Second), Processor: processor(), Cores: runtime.NumCPU(), Slack: step.Entry.Slack}
	s.count++
	j := Job{
		Step: step, Brokers: s.Brokers, In: inputOf(step.Load, row), AppID: fmt.Sprintf("b%d-%s-%s", s.count, step.Entry.Peer, step.Load.Name),
		Limit: s.Limit, Matched: matched(history, row),
	}
	j.Out = j.AppID + "-out"
	if j.Dir, err = filepath.Abs(filepath.Join(s.Dir, j.AppID)); err != nil {
		return r, err
	}
	if err := os.MkdirAll(j.Dir, 0o755); err != nil {
		return r, fmt.Errorf("compare: folder of a run: %w", err)
	}
	defer func() { err = errors.Join(err, s.tidy(ctx, j, r)) }()
	if step.Load.Rate > 0 {
		return r, s.latency(ctx, j, &r)
	}
	return r, s.drain(ctx, j, &r)
}

// drain has the contender drain the input and checks its output.
func (s *Site) drain(ctx context.Context, j Job, r *Result) error {
	if err := s.create(ctx, j.Out, j.Step.Load.partitions()); err != nil {
		return err
	}
	total, err := s.end(ctx, j.In)
	if err != nil {
		return err
	}

	child, o, err := s.start(j)
	if err != nil {
		return err
	}
	began := time.Now()
	limit, cancel := context.WithTimeout(ctx, time.Duration(j.Limit+graceTime)*time.Second)
	defer cancel()
	err = o.watch(limit, child.Done())
	late := limit.Err() != nil && ctx.Err() == nil
	if err != nil {
		child.Kill()
	}
	if err := errors.Join(context.Cause(ctx), s.unpin()); err != nil {
		return err
	}
	r.Seconds, r.PeakRSS = time.Since(began).Seconds(), o.peak
	switch {
	case late:
		r.Check = fmt.Sprintf("not done after %d s", j.Limit+graceTime)
		return nil
	case err != nil:
		return err
	}
	return s.judge(ctx, j, r, child, o.samples, total)
}

// create makes a topic and returns when the broker serves it, which is a moment after it
// has said so.
func (s *Site) create(ctx context.Context, topic string, partitions int) error {
	if _, err := s.Cluster.CreateTopic(ctx, topic, partitions, true); err != nil {
		return err
	}
	for {
		_, err := s.end(ctx, topic)
		if !errors.Is(err, kerr.UnknownTopicOrPartition) && !kerr.IsRetriable(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(observeInterval):
		}
	}
}

// end is the number of records in a topic that has lost none.
func (s *Site) end(ctx context.Context, topic string) (total int64, err error) {
	ends, err := s.adm.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("compare: end of topic %s: %w", topic, err)
	}
	ends.Each(func(o kadm.ListedOffset) { total += o.Offset })
	return total, nil
}

// judge checks the output of a run that has ended and fills in its figures.
func (s *Site) judge(ctx context.Context, j Job, r *Result, child *proc.Child, samples []sample, total int64) (err error) {
	ended := child.Err()
	r.Reported, err = reported(filepath.Join(j.Dir, "out"))
	switch {
	case r.Complete != nil && !*r.Complete:
		r.Check = fmt.Sprintf("gave up: %d of %d records committed after %.0f s", last(samples).records, total, r.Seconds)
		return nil
	case ended != nil:
		r.Check = fmt.Sprintf("ended with %v: %s", ended, child.LastWords())
		return nil
	case err != nil:
		r.Check = err.Error()
		return nil
	}
	name := j.Step.Load.Workload
	if j.Step.Entry.Peer == Loop {
		name = "copy"
	}
	if err := s.check(ctx, j, r, name); err != nil || r.Check != Pass {
		return err
	}
	if r.Figures, err = figures(samples, total); err != nil {
		r.Check = err.Error()
	}
	return nil
}

// check compares the sink with the truth. A matched loop has none: it writes as much as
// another, not the same.
func (s *Site) check(ctx context.Context, j Job, r *Result, name string) error {
	if j.Step.Entry.matches() {
		r.Check, r.Sink = Pass, r.Outputs
		if err := checkVolume(j.Step.Load, *j.Matched, *r); err != nil {
			r.Check = err.Error()
		}
		return nil
	}
	v, err := workload.Check{Cluster: s.Cluster, Workload: name, Inputs: []string{j.In}, Sink: j.Out, Grace: j.Step.Load.Grace, Slack: j.Step.Entry.Slack}.Run(ctx)
	if err != nil {
		r.Check = err.Error()
		return nil
	}
	r.Sink, r.Check = v.Sink, Pass
	if v.Err() != nil {
		r.Check = strings.ReplaceAll(v.String(), "\n", "; ")
	}
	return nil
}

// start pins the broker, and this process beside it, as the layout says and starts
// the contender.
func (s *Site) start(j Job) (*proc.Child, *observer, error) {
	cores := proc.AllCores()
	if j.Step.Layout == Pinned {
		cores = "0"
	}
	for _, pid := range []int{s.BrokerPID, os.Getpid()} {
		if err := proc.Pin(pid, cores); err != nil {
			return nil, nil, err
		}
	}
	command := s.Tools.Command(j)
	if command.Cores == "" {
		command.Cores = proc.AllCores()
	}
	child, err := proc.Start(command)
	if err != nil {
		return nil, nil, err
	}
	return child, &observer{adm: s.adm, group: j.AppID, topic: j.In, contender: child.PID(), broker: s.BrokerPID}, nil
}

// unpin lets broker and checker have the machine.
func (s *Site) unpin() error {
	return errors.Join(proc.Pin(s.BrokerPID, proc.AllCores()), proc.Pin(os.Getpid(), proc.AllCores()))
}

// tidy deletes the run's topics and, if it was good, its files. The group stays where
// it still has a member: its name is never used again.
func (s *Site) tidy(ctx context.Context, j Job, r Result) error {
	err := s.Cluster.DeleteTopics(ctx, func(topic string) bool { return strings.HasPrefix(topic, j.AppID+"-") })
	if r.Check != "" && !r.Passed() {
		fmt.Fprintf(s.Talk, "what it wrote is in %s\n", j.Dir)
		return errors.Join(err, os.RemoveAll(filepath.Join(j.Dir, "state")))
	}
	return errors.Join(err, os.RemoveAll(j.Dir))
}

// matched is the last good run of Millrace with the input of a row.
func matched(history []Result, row Row) *Result {
	for i := len(history) - 1; i >= 0; i-- {
		h := &history[i]
		if h.Passed() && h.Peer == Millrace && h.Load == row.Load && h.Layout == row.Layout && h.Records == row.Records && h.CommitMS == row.CommitMS {
			return h
		}
	}
	return nil
}

// processor is the model of the machine's processor; it names no machine.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
