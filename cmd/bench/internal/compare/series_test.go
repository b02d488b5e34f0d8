package compare

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/cmd/internal/workload"
)

const (
	envGate = "MILLRACE_TEST_GATE" // set in a contender only: it waits for this file
	envLose = "MILLRACE_TEST_LOSE" // it loses a record
	envQuit = "MILLRACE_TEST_QUIT" // it says that it is not complete
)

// TestMain has this test binary play the contender.
func TestMain(m *testing.M) {
	gate := os.Getenv(envGate)
	if gate == "" {
		os.Exit(m.Run())
	}
	for {
		if _, err := os.Stat(gate); err == nil {
			break
		}
	}
	if err := contend(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	quit := os.Getenv(envQuit) != ""
	fmt.Printf("{\"complete\":%t,\"outputs\":7}\n", !quit)
	if quit {
		os.Exit(1)
	}
}

// contend copies the input to the sink and commits the offsets.
func contend(ctx context.Context, args []string) error {
	flags := make(map[string]string)
	for i := 1; i+1 < len(args); i += 2 {
		flags[strings.TrimLeft(args[i], "-")] = args[i+1]
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(flags["brokers"]), kgo.ConsumeTopics(flags["in"]), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	ends, err := adm.ListEndOffsets(ctx, flags["in"])
	if err != nil {
		return err
	}
	left, lose := int64(0), os.Getenv(envLose) != ""
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	done := make(kadm.Offsets)
	for left > 0 {
		fetches := cl.PollRecords(ctx, 500)
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, r := range fetches.Records() {
			left--
			done.Add(kadm.Offset{Topic: r.Topic, Partition: r.Partition, At: r.Offset + 1, LeaderEpoch: -1})
			if lose {
				lose = false
				continue
			}
			if err := cl.ProduceSync(ctx, &kgo.Record{Topic: flags["out"], Partition: r.Partition, Key: r.Key, Value: r.Value}).FirstErr(); err != nil {
				return err
			}
		}
		if err := adm.CommitAllOffsets(ctx, flags["group"], done); err != nil {
			return err
		}
	}
	return nil
}

// A series loads the input, runs what is missing, checks it, keeps it and leaves
// nothing behind; a contender that loses a record has no figures.
func TestSeries(t *testing.T) {
	if _, err := exec.LookPath("taskset"); err != nil {
		t.Skipf("skipped: %v", err)
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	dir := t.TempDir()
	gate := filepath.Join(dir, "gate")
	t.Setenv(envGate, gate)
	// The contender begins when the observer has looked for its group.
	cluster.ControlKey(int16(kmsg.OffsetFetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if groups := req.(*kmsg.OffsetFetchRequest).Groups; len(groups) == 1 && strings.HasSuffix(groups[0].Group, "-loop-map") {
			return nil, os.WriteFile(gate, nil, 0o600), false
		}
		return nil, nil, false
	})
	site := &Site{
		Cluster: workload.Cluster{Options: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}}, Brokers: cluster.ListenAddrs()[0],
		BrokerPID: os.Getpid(), Tools: Tools{Self: os.Args[0]}, Dir: dir, Limit: 60, Talk: io.Discard,
	}
	if err := site.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(site.Close)
	var saved string
	s := Series{
		Selection: Selection{Loads: []string{"map"}, Layouts: []string{Shared}, Peers: []string{Loop}, Reps: 1, Records: 2000, Seed: 1, Commit: "abc"},
		Site:      site, History: filepath.Join(dir, "history.ndjson"), Talk: io.Discard,
		Save: func(table string) error { saved = table; return nil },
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	runs := func(want int) []Result {
		t.Helper()
		_ = os.Remove(gate) // the first time it is not there
		if err := s.Run(ctx); err != nil {
			t.Fatal(err)
		}
		history, err := ReadHistory(s.History)
		if err != nil || len(history) != want {
			t.Fatalf("%d runs in the history, want %d: %v", len(history), want, err)
		}
		return history
	}
	r := runs(1)[0] // the loop that matches Millrace is left out: there is none
	if !r.Passed() || r.Rate <= 0 || r.Sink != 2000 || r.Outputs != 7 || r.Config != "L2" || !strings.Contains(saved, "| loop L2, 100 ms |") {
		t.Errorf("%+v\n%s", r, saved)
	}
	runs(1)
	s.Selection.Seed = 2
	t.Setenv(envLose, "1")
	if r := runs(2)[1]; r.Passed() || r.Rate != 0 || !strings.Contains(r.Check, "missing 1") {
		t.Errorf("%+v", r)
	}
	s.Selection.Seed = 3
	t.Setenv(envQuit, "1")
	if r := runs(3)[2]; r.Passed() || !strings.HasPrefix(r.Check, "gave up: 2008 of 2008 records") {
		t.Errorf("%+v", r)
	}
	topics, err := site.adm.ListTopics(ctx)
	if err != nil || len(topics.Names()) != 1 || topics.Names()[0] != "in-k10000-n2000-s3" {
		t.Errorf("left behind: %v, %v", topics.Names(), err)
	}
}
