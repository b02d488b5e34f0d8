//go:build kafka

package integration

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/cmd/internal/kafka"
	"github.com/millrace/millrace/processor"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// envPoison is how many records TestPoisonIsItsOwnFault uses of each kind of
// input; 2000000 is the full measurement. envRounds is how often everything is run:
// one run beside a broker on the same cores says little about its rate. envApps
// names the applications to be run, separated by commas; without it all are.
const (
	envPoison = "POISON_RECORDS"
	envRounds = "POISON_ROUNDS"
	envApps   = "POISON_APPS"
)

const poisonApps = "stateless,stateful,kept,sessions,sliding"

const (
	poisonRecords    = 150_000
	poisonKeys       = 10_000
	poisonPartitions = 4
	poisonBurst      = 1000
	poisonAhead      = 2 * time.Hour // twice what a topic takes by default
	largeResult      = 1_200_000     // bytes, more than a topic takes by default
	slowest          = 5 * time.Second
)

// The kinds of bad records, in turn; ahead is told by the time in the value.
var poisonKinds = [...]string{"ahead", "large", "keyless", "panic"}

// A spoil says which records of an input are bad: spread evenly, one in a hundred
// of each kind; or none but a burst in the middle.
type spoil struct {
	name string
	kind func(i, n int) string
}

var spoils = []spoil{
	{"clean", func(int, int) string { return "" }},
	{"spread", func(i, _ int) string {
		if k := i % 100; k%25 == 7 {
			return poisonKinds[k/25]
		}
		return ""
	}},
	{"burst", func(i, n int) string {
		if from := n / 2; i >= from && i < from+poisonBurst {
			return poisonKinds[i%len(poisonKinds)]
		}
		return ""
	}},
}

// TestPoisonIsItsOwnFault runs a stateless application and stateful ones, one of
// which keeps what is too large, over bad records of all kinds, on topics as they are by default: each of them is a dead
// letter with its place, all others give their results once. The rate beside that
// of the same input without bad records is printed.
func TestPoisonIsItsOwnFault(t *testing.T) {
	s := newPoisonScene(t, fromEnv(t, envPoison, poisonRecords))
	rounds := fromEnv(t, envRounds, 1)
	for _, in := range spoils {
		s.load(in)
	}
	for app := range strings.SplitSeq(cmp.Or(os.Getenv(envApps), poisonApps), ",") {
		if !slices.Contains(strings.Split(poisonApps, ","), app) {
			t.Fatalf("%s names %q: choose from %s", envApps, app, poisonApps)
		}
		rates := map[string][]float64{}
		for round := range rounds {
			for _, in := range spoils {
				rate, low := s.run(app, in, round)
				t.Logf("%-9s %-6s %8.0f records/s, in the slowest %v %8.0f", app, in.name, rate, slowest, low)
				rates[in.name] = append(rates[in.name], rate)
			}
		}
		clean := median(rates["clean"])
		t.Logf("%-9s of clean: %.2f spread, %.2f in a burst (medians of %d)", app, median(rates["spread"])/clean, median(rates["burst"])/clean, rounds)
	}
}

func fromEnv(t *testing.T, name string, otherwise int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q: give a number from 1 on", name, s)
	}
	return n
}

func median(rates []float64) float64 {
	slices.Sort(rates)
	return (rates[(len(rates)-1)/2] + rates[len(rates)/2]) / 2
}

type poisonScene struct {
	t      *testing.T
	n      int
	broker string
	client *kgo.Client
	admin  *kadm.Client
}

func newPoisonScene(t *testing.T, n int) *poisonScene {
	t.Helper()
	s := &poisonScene{t: t, n: n, broker: kafka.ForTest(t, kafka.Options{}).Addr()}
	client, err := kgo.NewClient(kgo.SeedBrokers(s.broker), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s.client, s.admin = client, kadm.NewClient(client)
	return s
}

func (s *poisonScene) create(topic string, settings map[string]string) {
	s.t.Helper()
	configs := map[string]*string{}
	for k, v := range settings {
		configs[k] = &v
	}
	if _, err := s.admin.CreateTopic(s.t.Context(), poisonPartitions, 1, configs, topic); err != nil {
		s.t.Fatal(err)
	}
}

// load writes an input: values are "time kind", the key of record i is i modulo
// the number of keys.
func (s *poisonScene) load(in spoil) {
	s.t.Helper()
	s.create("in-"+in.name, nil)
	var mu sync.Mutex
	var first error
	now := time.Now()
	for i := range s.n {
		kind, at := in.kind(i, s.n), now
		if kind == "ahead" {
			at = now.Add(poisonAhead)
		}
		r := &kgo.Record{Topic: "in-" + in.name, Partition: int32(i % poisonPartitions), Key: fmt.Appendf(nil, "key-%d", i%poisonKeys), Timestamp: now}
		r.Value = fmt.Appendf(nil, "%d %s", at.UnixMilli(), kind)
		if kind == "keyless" {
			r.Key = nil
		}
		s.client.Produce(s.t.Context(), r, func(_ *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			first = errors.Join(first, err)
		})
	}
	if err := errors.Join(s.client.Flush(s.t.Context()), first); err != nil {
		s.t.Fatal(err)
	}
}

// run runs an application over an input to its end, and checks what it wrote.
func (s *poisonScene) run(app string, in spoil, round int) (rate, low float64) {
	s.t.Helper()
	id := fmt.Sprintf("%s-%s-%d", app, in.name, round)
	s.create(id+"-first", nil)
	s.create(id+"-out", map[string]string{"cleanup.policy": "compact"})
	s.create(id+"-dead", nil)
	topology := s.build(app, in.name, id)
	var p progress
	a, err := processor.New(topology, processor.Config{
		ApplicationID: id, Brokers: []string{s.broker}, StateDir: s.t.TempDir(), BoundedRun: "measured",
		Events: processor.EventListener{Committed: p.committed},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), testLimit)
	defer cancel()
	if err := a.Run(ctx); err != nil {
		s.t.Fatalf("%s: %v", id, err)
	}
	s.checkLetters(id, in)
	s.checkResults(id, app, in)
	return p.rates()
}

// build is an application that has effects before it meets what is wrong with a
// record: a first sink, and in the stateful one a count.
func (s *poisonScene) build(app, input, id string) *stream.Topology {
	s.t.Helper()
	text := func(name string) stream.Topic[string, string] {
		return stream.Topic[string, string]{Name: name, Key: serde.String, Value: serde.String}
	}
	b := stream.New(id)
	b.DeadLetter(id + "-dead")
	source := text("in-" + input)
	source.EventTime = func(r *stream.Record[string, string]) time.Time {
		ms, _, _ := strings.Cut(r.Value, " ")
		n, _ := strconv.ParseInt(ms, 10, 64)
		return time.UnixMilli(n)
	}
	in := stream.From(b, source)
	spoilt := strings.Repeat("x", largeResult)
	work := func(_ string, value string) string {
		_, kind, _ := strings.Cut(value, " ")
		switch kind {
		case "large":
			if app == "kept" {
				return value // the state is too large, see keeping
			}
			return spoilt
		case "panic":
			panic("user code")
		}
		return value
	}
	if app == "stateless" {
		stream.To(in, text(id+"-first"))
	} else {
		counts := counting(app, stream.GroupByKey(in), spoilt)
		stream.To(counts, stream.Topic[string, int64]{Name: id + "-first", Key: serde.String, Value: serde.Int64})
	}
	results := stream.TryMapValues(in, func(_ *stream.Context, r *stream.Record[string, string]) (string, error) {
		return work(r.Key, r.Value), nil
	})
	stream.To(results, text(id+"-out"))
	topology, err := b.Build()
	if err != nil {
		s.t.Fatal(err)
	}
	return topology
}

// counting counts the records of each key in the way of an application. The time of
// all good records is one, and late is none.
func counting(app string, in stream.Grouped[string, string], spoilt string) stream.Stream[string, int64] {
	const grace = 2 * poisonAhead
	switch app {
	case "kept":
		return keeping(in, spoilt)
	case "sessions":
		return bare(stream.CountWindows("counts", stream.Window(in, windowing.Session(time.Minute).Grace(grace).Emit(windowing.OnUpdate))))
	case "sliding":
		return bare(stream.CountWindows("counts", stream.Window(in, windowing.Sliding(time.Minute).Grace(grace).Emit(windowing.OnUpdate))))
	}
	return stream.Count("counts", in, stream.Emit(windowing.OnUpdate)).Changes()
}

// bare are results of windows by their keys alone.
func bare(w stream.Windowed[string, string, int64]) stream.Stream[string, int64] {
	return stream.Map(w.Results, func(k windowing.Key[string], n int64) (string, int64) { return k.Key, n })
}

// keeping counts records in texts; what a large one leaves is larger than the
// changelog takes.
func keeping(in stream.Grouped[string, string], spoilt string) stream.Stream[string, int64] {
	texts := stream.Aggregate("texts", in, stream.Aggregator[string, string, string]{
		State: serde.String,
		Zero:  func() string { return "0" },
		Add: func(_, value, count string) string {
			if len(count) > 20 || strings.HasSuffix(value, " large") {
				return spoilt
			}
			n, _ := strconv.ParseInt(count, 10, 64)
			return strconv.FormatInt(n+1, 10)
		},
	}, stream.Emit(windowing.OnUpdate))
	return stream.MapValues(texts.Changes(), func(count string) int64 {
		n, _ := strconv.ParseInt(count[:min(len(count), 20)], 10, 64)
		return n
	})
}

// progress is when how much was committed.
type progress struct {
	mu sync.Mutex
	at []time.Time
	n  []int // until then
}

func (p *progress) committed(c processor.CommitInfo) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum := c.Records
	if len(p.n) > 0 {
		sum += p.n[len(p.n)-1]
	}
	p.at, p.n = append(p.at, time.Now()), append(p.n, sum)
}

// rates are the records per second from the first commit on, and those of the
// slowest stretch.
func (p *progress) rates() (rate, low float64) {
	per := func(i, j int) float64 { return float64(p.n[j]-p.n[i]) / p.at[j].Sub(p.at[i]).Seconds() }
	last := len(p.n) - 1
	for last > 0 && p.n[last] == p.n[last-1] {
		last--
	}
	if last < 1 {
		return math.NaN(), math.NaN()
	}
	low = per(0, last)
	for i, j := 0, 0; j <= last; i++ {
		for j <= last && p.at[j].Sub(p.at[i]) < slowest {
			j++
		}
		if j <= last {
			low = min(low, per(i, j))
		}
	}
	return per(0, last), low
}

// records reads what was committed to a topic.
func (s *poisonScene) records(topic string, see func(*kgo.Record)) {
	s.t.Helper()
	ends, err := s.admin.ListCommittedOffsets(s.t.Context(), topic)
	if err != nil {
		s.t.Fatal(err)
	}
	parts, left := map[int32]kgo.Offset{}, map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			parts[o.Partition], left[o.Partition] = kgo.NewOffset().AtStart(), o.Offset
		}
	})
	if len(parts) == 0 {
		return
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(s.broker), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: parts}))
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	for len(left) > 0 {
		fetches := client.PollFetches(s.t.Context())
		if err := fetches.Err(); err != nil {
			s.t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				see(r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
}

// checkLetters wants one letter for each bad record, with its place.
func (s *poisonScene) checkLetters(id string, in spoil) {
	s.t.Helper()
	want, got := map[string]string{}, map[string]string{}
	for i := range s.n {
		if kind := in.kind(i, s.n); kind != "" {
			reason := "refused"
			if kind == "panic" {
				reason = "process"
			}
			want[fmt.Sprintf("%d/%d", i%poisonPartitions, i/poisonPartitions)] = kind + " " + reason
		}
	}
	s.records(id+"-dead", func(r *kgo.Record) {
		h := map[string]string{}
		for _, x := range r.Headers {
			h[x.Key] = string(x.Value)
		}
		place := h["__streams.errors.partition"] + "/" + h["__streams.errors.offset"]
		if _, twice := got[place]; twice {
			s.t.Errorf("%s: two dead letters of %s", id, place)
		}
		_, kind, _ := strings.Cut(string(r.Value), " ")
		got[place] = kind + " " + h["__millrace.errors.reason"]
	})
	wrong := 0
	for place, w := range want {
		if got[place] != w {
			wrong++
		}
	}
	if wrong > 0 || len(want) != len(got) {
		s.t.Errorf("%s: %d dead letters for %d bad records, %d of them wrong or lost", id, len(got), len(want), wrong)
	}
}

// checkResults wants one result of each good record in both sinks, and of the
// counts each number once.
func (s *poisonScene) checkResults(id, app string, in spoil) {
	s.t.Helper()
	want := map[string]int{}
	for i := range s.n {
		if in.kind(i, s.n) == "" {
			want[fmt.Sprintf("key-%d", i%poisonKeys)]++
		}
	}
	first, out := map[string]int{}, map[string]int{}
	s.records(id+"-out", func(r *kgo.Record) { out[string(r.Key)]++ })
	counts := map[string][]int64{}
	number, err := serde.Int64.Bind(serde.Use{Role: serde.Value, Name: id})
	if err != nil {
		s.t.Fatal(err)
	}
	s.records(id+"-first", func(r *kgo.Record) {
		first[string(r.Key)]++
		if app != "stateless" {
			n, err := number.Decode(r.Value)
			if err != nil {
				s.t.Fatal(err)
			}
			counts[string(r.Key)] = append(counts[string(r.Key)], n)
		}
	})
	for key, n := range want {
		if first[key] != n || out[key] != n {
			s.t.Fatalf("%s: key %s has %d and %d results, want %d", id, key, first[key], out[key], n)
		}
	}
	if len(first) != len(want) || len(out) != len(want) {
		s.t.Errorf("%s: %d and %d keys, want %d", id, len(first), len(out), len(want))
	}
	s.checkCounts(id, counts)
}

// checkCounts wants the counts of a key to be 1, 2, 3 and so on, in order: the
// number of partitions divides that of keys, so each is in one.
func (s *poisonScene) checkCounts(id string, counts map[string][]int64) {
	s.t.Helper()
	for key, all := range counts {
		for i, n := range all {
			if n != int64(i+1) {
				s.t.Fatalf("%s: key %s: count %d is %d", id, key, i+1, n)
			}
		}
	}
}
