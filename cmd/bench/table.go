package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/cmd/bench/internal/compare"
	"github.com/millrace/millrace/cmd/internal/kafka"
	"github.com/millrace/millrace/cmd/internal/workload"
)

// tableRun is one call of bench table, as its flags say.
type tableRun struct {
	selection              compare.Selection
	loads, layouts, peers  string
	history, save, scratch string
	limit                  int
	print                  bool
}

// table makes the runs that a table lacks, on a real broker that it starts, and
// prints the table.
func table(fs *flag.FlagSet) action {
	var t tableRun
	fs.StringVar(&t.loads, "workload", "", "workloads, with commas (default: all but scale)")
	fs.StringVar(&t.layouts, "layout", "", "pinned (broker on one core, contender on the other), shared, or both with a comma (default: both)")
	fs.StringVar(&t.peers, "peers", "", "contenders, with commas, of "+strings.Join(compare.Peers(), ", ")+" (default: all)")
	fs.IntVar(&t.selection.Reps, "reps", 3, "repetitions")
	fs.BoolVar(&t.selection.All, "all", false, "all configurations of the peers instead of the best known")
	fs.BoolVar(&t.selection.Fresh, "fresh", false, "repeat runs that are in the history already")
	fs.Int64Var(&t.selection.Records, "n", 0, "records of every input at most, for trials (default: for a minute of steady time, at most 30 M)")
	fs.Uint64Var(&t.selection.Seed, "seed", 1, "seed of the inputs")
	fs.StringVar(&t.history, "history", "", "file to add the runs to (default: testdata/bench/history.ndjson; with -n one beside the table)")
	fs.StringVar(&t.save, "save", "", "file for the table (default: .cache/bench/table.md)")
	fs.IntVar(&t.limit, "max-s", 1200, "give up a run after this time")
	fs.BoolVar(&t.print, "print", false, "make no runs, only print the table of the history")
	return func(ctx context.Context, _ workload.Cluster, out io.Writer) error {
		if err := t.complete(ctx); err != nil {
			return err
		}
		if !t.print {
			if err := t.run(ctx, out); err != nil {
				return err
			}
		}
		history, err := compare.ReadHistory(t.history)
		if err != nil {
			return err
		}
		text := compare.Markdown(t.selection, history)
		fmt.Fprintln(out, text)
		return t.write(text)
	}
}

// complete fills in what follows from where this runs.
func (t *tableRun) complete(ctx context.Context) error {
	split := func(list string) []string {
		return strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == ' ' })
	}
	t.selection.Loads, t.selection.Layouts, t.selection.Peers = split(t.loads), split(t.layouts), split(t.peers)
	if err := t.selection.Validate(); err != nil {
		return err
	}
	root, err := compare.Root()
	if err != nil {
		return err
	}
	if t.selection.Commit, err = compare.Version(ctx, root); err != nil {
		return err
	}
	t.scratch = filepath.Join(root, ".cache", "bench")
	if t.save == "" {
		t.save = filepath.Join(t.scratch, "table.md")
	}
	switch {
	case t.history != "":
	case t.selection.Records > 0:
		t.history = filepath.Join(t.scratch, "trials.ndjson") // not worth keeping
	default:
		t.history = filepath.Join(root, "testdata", "bench", "history.ndjson")
	}
	return nil
}

// run starts the broker and makes the runs.
func (t *tableRun) run(ctx context.Context, out io.Writer) error {
	if compare.Dirty(t.selection.Commit) && !t.selection.Fresh {
		fmt.Fprintln(out, "sources differ from the commit: runs of other changes to it are taken for runs of these (-fresh repeats them)")
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("table: this program: %w", err)
	}
	root, err := compare.Root()
	if err != nil {
		return err
	}
	site := &compare.Site{
		Tools: compare.Tools{Self: self, Peers: filepath.Join(root, "testdata", "peers")},
		Dir:   filepath.Join(t.scratch, "runs", time.Now().UTC().Format("20060102-150405")), Limit: t.limit, Talk: out,
	}
	series := compare.Series{Selection: t.selection, Site: site, History: t.history, Save: t.write, Talk: out}
	if err := series.Build(ctx); err != nil {
		return err
	}
	b, err := kafka.Start(ctx, kafka.Options{Properties: tableBroker()})
	if err != nil {
		return err
	}
	defer func() { _ = b.Kill() }()
	site.Cluster = workload.Cluster{Options: []kgo.Opt{kgo.SeedBrokers(b.Addr())}}
	site.Brokers, site.BrokerPID = b.Addr(), b.PID()
	if err := site.Open(ctx); err != nil {
		return err
	}
	defer site.Close()
	return series.Run(ctx)
}

// tableBroker are settings of the broker that no contender sees: a deleted topic frees
// its space at once, not in the middle of the next run.
func tableBroker() map[string]string { return map[string]string{"file.delete.delay.ms": "1000"} }

func (t *tableRun) write(text string) error {
	if err := os.MkdirAll(filepath.Dir(t.save), 0o755); err != nil {
		return fmt.Errorf("table: %w", err)
	}
	if err := os.WriteFile(t.save, []byte(text), 0o644); err != nil {
		return fmt.Errorf("table: %w", err)
	}
	return nil
}
