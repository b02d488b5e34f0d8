package probe

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/cmd/internal/workload"
)

// A relay stands for a contender: it passes on what it wants to.
type relay struct {
	pass  func(seq int64) (times int)
	delay time.Duration // before anything is passed on
}

func (f relay) run(ctx context.Context, t *testing.T, c workload.Cluster) {
	cl, err := c.Client(kgo.ConsumeTopics("in"), kgo.DefaultProduceTopic("out"))
	if err != nil {
		t.Error(err)
		return
	}
	defer cl.Close()
	for ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			seq, _ := number(r)
			time.Sleep(f.delay)
			for range f.pass(seq) {
				cl.Produce(ctx, &kgo.Record{Key: r.Key, Value: r.Value}, nil)
			}
		})
	}
}

func cluster(t *testing.T) workload.Cluster {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	c := workload.Cluster{Options: []kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...)}}
	for _, topic := range []string{"in", "out"} {
		if _, err := c.CreateTopic(t.Context(), topic, 3, false); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func probe(t *testing.T, c workload.Cluster) Probe {
	t.Helper()
	gen, err := workload.NewGen(workload.Parameters{Keys: 100, ValueSize: 100, Rate: 1000, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return Probe{
		Cluster: c, In: "in", Out: "out", Gen: gen, Duration: 400 * time.Millisecond, Warmup: 100 * time.Millisecond,
		Ready: 30 * time.Second, Drain: 300 * time.Millisecond,
	}
}

// Each record is found once, however the contender treats it.
func TestProbe(t *testing.T) {
	all := func(int64) int { return 1 }
	for name, tc := range map[string]struct {
		relay                                  relay
		filtered                               bool
		received, repeated, expected, measured int64
	}{
		"all":         {relay: relay{pass: all}, received: 400, expected: 400, measured: 300},
		"one in four": {relay: relay{pass: func(seq int64) int { return oneIf(seq < 0 || seq%4 == 0) }}, received: 100, expected: 400, measured: 75},
		"twice":       {relay: relay{pass: func(seq int64) int { return 1 + oneIf(seq >= 0 && seq%10 == 0) }}, received: 400, repeated: 40, expected: 400, measured: 300},
		"filtered":    {relay: relay{pass: all}, filtered: true, received: 400, expected: passed(t), measured: 300},
	} {
		t.Run(name, func(t *testing.T) {
			c := cluster(t)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				tc.relay.run(ctx, t, c)
			}()
			defer func() { cancel(); <-done }()
			p := probe(t, c)
			p.Filtered = tc.filtered
			l, err := p.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			// The last copies may come when the probe has all it wants.
			if l.Sent != 400 || l.Expected != tc.expected || l.Received < min(tc.received, tc.expected) || l.Received > tc.received || l.Repeated > tc.repeated {
				t.Errorf("%d sent, %d expected, %d received, %d repeated, want %+v", l.Sent, l.Expected, l.Received, l.Repeated, tc)
			}
			if len(l.Behind) != 300 || int64(len(l.Delay)) > tc.measured || !tc.filtered && int64(len(l.Delay)) != tc.measured {
				t.Errorf("%d delays, %d times behind, want %d and 300", len(l.Delay), len(l.Behind), tc.measured)
			}
			for _, d := range l.Delay {
				if d <= 0 {
					t.Fatalf("a delay of %v", d)
				}
			}
		})
	}
}

func oneIf(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// passed counts the records that the map workload passes on.
func passed(t *testing.T) (n int64) {
	t.Helper()
	gen := probe(t, workload.Cluster{}).Gen
	var key [workload.KeySize]byte
	value := make([]byte, gen.ValueSize)
	for seq := range int64(400) {
		gen.Record(seq, &key, value)
		n += int64(oneIf(binary.BigEndian.Uint64(value)%10 != 0))
	}
	return n
}

// Delay counts from when a record was due: a contender that stands still at first has
// made all the records late that were due then.
func TestStallCountsAgainstAll(t *testing.T) {
	r := newReceiver(schedule{start: time.Unix(100, 0), rate: 10, total: 30, from: 10})
	for seq := range int64(30) {
		value := binary.BigEndian.AppendUint64(make([]byte, 8), uint64(seq))
		r.note(&kgo.Record{Value: value}, time.Unix(103, 0))
	}
	d := r.delay.Sorted()
	if len(d) != 20 || d[0] != 100*time.Millisecond || d[19] != 2*time.Second || r.received != 30 {
		t.Errorf("%v of %d", d, r.received)
	}
}

func TestNobodyThere(t *testing.T) {
	p := probe(t, cluster(t))
	p.Ready = 300 * time.Millisecond
	if _, err := p.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "of 3 greetings 3 have not come") {
		t.Errorf("%v", err)
	}
}

func TestBadProbes(t *testing.T) {
	c := cluster(t)
	for complaint, spoil := range map[string]func(p *Probe){
		"0 records":             func(p *Probe) { p.Duration = 0 },
		"warm-up of 400ms":      func(p *Probe) { p.Warmup = p.Duration },
		"3600000000 records":    func(p *Probe) { p.Duration = 1000 * time.Hour },
		"topic none":            func(p *Probe) { p.In = "none" },
		"offsets of topic none": func(p *Probe) { p.Out = "none" },
	} {
		p := probe(t, c)
		spoil(&p)
		if _, err := p.Run(t.Context()); err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("%v, want %q", err, complaint)
		}
	}
}
