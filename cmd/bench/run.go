package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/millrace/millrace/cmd/internal/workload"
	"github.com/millrace/millrace/processor"
)

// contenderRun is one run of Millrace over one of the contract's workloads.
type contenderRun struct {
	workload, in, out, brokers, stateDir, appID, guarantee string
	commitMS, graceMS                                      int
	workers                                                int
	verbose                                                bool
}

// runContender drains an input topic through Millrace as a bounded run and
// prints one JSON line about it.
func runContender(fs *flag.FlagSet) action {
	var r contenderRun
	fs.StringVar(&r.workload, "workload", "tumble", "map, tumble, tumblefinal, hop, hopfinal or dedupkeys")
	fs.StringVar(&r.in, "in", "", "input topic")
	fs.StringVar(&r.out, "out", "", "sink topic, made anew")
	fs.StringVar(&r.stateDir, "state-dir", "", "state directory (default: a temporary one)")
	fs.StringVar(&r.appID, "app-id", "bench-millrace", "application id, made anew")
	fs.StringVar(&r.guarantee, "guarantee", "eos", "eos or alo")
	fs.IntVar(&r.commitMS, "commit-ms", 100, "commit interval")
	fs.IntVar(&r.graceMS, "grace-ms", 0, "grace of the windows")
	fs.IntVar(&r.workers, "threads", 1, "workers")
	fs.BoolVar(&r.verbose, "v", false, "log on stderr")
	return func(ctx context.Context, cluster workload.Cluster, out io.Writer) error {
		if r.in == "" || r.out == "" {
			return errors.New("run: -in and -out are required")
		}
		r.brokers = fs.Lookup("brokers").Value.String()
		res, err := r.measure(ctx, cluster)
		if err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(res)
	}
}

// A measurement is what a run prints.
type measurement struct {
	Contender     string  `json:"contender"`
	Workload      string  `json:"workload"`
	Guarantee     string  `json:"guarantee"`
	CommitMS      int     `json:"commit_ms"`
	Workers       int     `json:"threads"`
	Records       int64   `json:"records"`
	Seconds       float64 `json:"seconds"`
	RecordsPerSec float64 `json:"records_per_s"` // between 30 % and 90 % of the input
	CPUPerMillion float64 `json:"cpu_s_per_million"`
	Commits       int     `json:"commits"`
	CommitMeanMS  float64 `json:"commit_mean_ms"`
	Outputs       int64   `json:"outputs"`
	Changelog     int64   `json:"changelog"`
	MaxRSSBytes   int64   `json:"max_rss_bytes"`
	Checked       int64   `json:"rows_checked,omitempty"` // equal to the truth
}

func (r *contenderRun) measure(ctx context.Context, cluster workload.Cluster) (measurement, error) {
	topology, err := contender(r.workload, r.in, r.out, time.Duration(r.graceMS)*time.Millisecond)
	if err != nil {
		return measurement{}, err
	}
	if err := r.reset(ctx, cluster); err != nil {
		return measurement{}, err
	}
	if r.stateDir == "" {
		if r.stateDir, err = os.MkdirTemp("", "millrace-bench-"); err != nil {
			return measurement{}, err
		}
		defer os.RemoveAll(r.stateDir)
	}
	var p pace
	app, err := processor.New(topology, r.config(&p))
	if err != nil {
		return measurement{}, err
	}
	began, before := time.Now(), cpuTime()
	if err := app.Run(ctx); err != nil {
		return measurement{}, err
	}
	return p.result(r, time.Since(began), cpuTime()-before), ctx.Err()
}

// cpuTime is what this process has used so far.
func cpuTime() time.Duration {
	u := usage()
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func usage() (u syscall.Rusage) {
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail for ourselves
	return u
}

// reset makes the sink anew and lets the application start from nothing.
func (r *contenderRun) reset(ctx context.Context, cluster workload.Cluster) error {
	partitions, err := cluster.Partitions(ctx, r.in)
	if err != nil {
		return err
	}
	if _, err := cluster.CreateTopic(ctx, r.out, partitions, true); err != nil {
		return err
	}
	for _, topic := range []string{r.appID + "-counts-changelog"} {
		if err := cluster.DeleteTopic(ctx, topic); err != nil {
			return err
		}
	}
	return cluster.DeleteGroup(ctx, r.appID)
}

func (r *contenderRun) config(p *pace) processor.Config {
	cfg := processor.Config{
		ApplicationID: r.appID, Brokers: strings.Split(r.brokers, ","), StateDir: r.stateDir, Workers: r.workers,
		CommitInterval: time.Duration(r.commitMS) * time.Millisecond, BoundedRun: "bench",
		Events: processor.EventListener{Committed: p.committed},
	}
	if r.guarantee == "alo" {
		cfg.Guarantee = processor.AtLeastOnce
	}
	if r.verbose {
		cfg.Logger, _ = zap.NewDevelopment()
	}
	return cfg
}

// pace keeps when how much was committed.
type pace struct {
	mu      sync.Mutex
	marks   []mark
	spent   time.Duration
	outputs int64
	entries int64
}

type mark struct {
	at      time.Time
	records int64 // committed by then
}

func (p *pace) committed(c processor.CommitInfo) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := mark{at: time.Now(), records: int64(c.Records)}
	if n := len(p.marks); n > 0 {
		m.records += p.marks[n-1].records
	}
	p.marks = append(p.marks, m)
	p.spent += c.Duration
	p.outputs += int64(c.Outputs)
	p.entries += int64(c.Changelog)
}

// result computes the figures; the rate is that of the steady middle.
func (p *pace) result(r *contenderRun, took, cpu time.Duration) measurement {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := measurement{
		Contender: "millrace", Workload: r.workload, Guarantee: r.guarantee, CommitMS: r.commitMS, Workers: r.workers,
		Seconds: took.Seconds(), Commits: len(p.marks), Outputs: p.outputs, Changelog: p.entries,
		MaxRSSBytes: usage().Maxrss * 1024, // Linux counts in KiB
	}
	if len(p.marks) == 0 {
		return m
	}
	m.Records = p.marks[len(p.marks)-1].records
	m.CommitMeanMS = p.spent.Seconds() * 1000 / float64(len(p.marks))
	if m.Records > 0 {
		m.CPUPerMillion = cpu.Seconds() * 1e6 / float64(m.Records)
	}
	from, to := p.at(m.Records*3/10), p.at(m.Records*9/10)
	if d := to.at.Sub(from.at).Seconds(); d > 0 {
		m.RecordsPerSec = float64(to.records-from.records) / d
	}
	return m
}

// at is the first mark with at least so many records.
func (p *pace) at(records int64) mark {
	for _, m := range p.marks {
		if m.records >= records {
			return m
		}
	}
	return mark{}
}
