package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/millrace/millrace/processor"
)

// The flags of the Kafka Streams contender mean the same here.
func TestRunFlags(t *testing.T) {
	defaults := contenderRun{
		workload: "tumble", config: "M1", guarantee: "eos", commitMS: 100, workers: 1, appID: "bench-millrace", maxSeconds: 170, talk: io.Discard,
	}
	for _, tc := range []struct {
		args string
		want func(r *contenderRun)
	}{
		{"", func(*contenderRun) {}},
		{"--workload hop --config M2 --in a --out b", func(r *contenderRun) { r.workload, r.config, r.in, r.out = "hop", "M2", "a", "b" }},
		{"--guarantee alo --commit-ms 20 --threads 2", func(r *contenderRun) { r.guarantee, r.commitMS, r.workers = "alo", 20, 2 }},
		{"--grace-ms 300 --app-id x --state-dir d", func(r *contenderRun) { r.graceMS, r.appID, r.stateDir = 300, "x", "d" }},
		{"--reset --cleanup --max-s 2.5", func(r *contenderRun) { r.reset, r.cleanup, r.maxSeconds = true, true, 2.5 }},
		{"--restore --state-dir d", func(r *contenderRun) { r.restore, r.stateDir = true, "d" }},
		{"--forever --describe --trace -v", func(r *contenderRun) { r.forever, r.describe, r.trace, r.verbose = true, true, true, true }},
		{"--set commit.records=5 --broker-pid 7 --cpuprofile p", func(r *contenderRun) { r.set, r.brokerPID, r.profile = "commit.records=5", 7, "p" }},
	} {
		fs := flag.NewFlagSet("run", flag.ContinueOnError)
		fs.SetOutput(io.Discard)
		var got contenderRun
		got.declare(fs)
		if err := fs.Parse(strings.Fields(tc.args)); err != nil {
			t.Errorf("%s: %v", tc.args, err)
		}
		want := defaults
		tc.want(&want)
		if got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", tc.args, got, want)
		}
	}
}

func TestRunConfig(t *testing.T) {
	r := contenderRun{
		appID: "app", brokers: "a:1,b:2", stateDir: "d", config: "M2", guarantee: "alo", commitMS: 20, workers: 2,
		set: "max.partition.fetch.bytes=4194304,transaction.timeout.ms=7000,commit.records=5,max.task.idle.ms=3,commit.records=6",
	}
	cfg, err := r.processorConfig()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.ApplicationID != "app" || len(cfg.Brokers) != 2 || cfg.StateDir != "d" || cfg.Workers != 2 || cfg.BoundedRun != "" ||
		cfg.Guarantee != processor.AtLeastOnce || cfg.CommitInterval != 20*time.Millisecond || len(cfg.Client) != 1 || cfg.StateMemory != 3<<30 ||
		cfg.TransactionTimeout != 7*time.Second || cfg.CommitRecords != 6 || cfg.MaxTaskIdle != 3*time.Millisecond {
		t.Errorf("%+v", cfg)
	}
	for _, p := range presets() {
		var cfg processor.Config
		if err := tune(&cfg, p.name, ""); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
}

func TestBadRuns(t *testing.T) {
	brokers := fakeBroker(t)
	do(t, brokers, "load -topic in -n 100 -partitions 2")
	for args, complaint := range map[string]string{
		"":                                     "-in and -out are required",
		"-in in -out out -workload dance":      `no workload "dance", want one of map, tumble,`,
		"-in in -out out -config M9":           `no config "M9", want one of M1, M2, M3`,
		"-in in -out out -set dance=1":         `no setting "dance"`,
		"-in in -out out -set commit.records=": `"" is not a whole number`,
		"-in in -out out -guarantee maybe":     `no guarantee "maybe"`,
		"-in in -out out -restore":             "needs the -state-dir",
		"-in in -out out -threads -1":          "Workers is -1",
		"-in none -out out":                    "topic none",
	} {
		_, err := try(t, brokers, "run "+args)
		if err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("run %s: %v, want %q", args, err, complaint)
		}
	}
}

// Arguments that make no sense are found before -reset deletes anything.
func TestResetComesLast(t *testing.T) {
	brokers := fakeBroker(t)
	do(t, brokers, "load -topic in -n 100")
	do(t, brokers, "load -topic out -n 100")
	state := t.TempDir()
	for args, complaint := range map[string]string{
		"-workload dance": "no workload", "-config M9": "no config", "-set dance=1": "no setting", "-app-id .": "not a legal name", "-app-id=": "not a legal name",
	} {
		_, err := try(t, brokers, "run -in in -out out -reset -state-dir "+state+" "+args)
		if err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("run %s: %v, want %q", args, err, complaint)
		}
	}
	do(t, brokers, "check -workload copy -in in -out out") // it is all there
	if _, err := os.Stat(state); err != nil {
		t.Error(err)
	}
}

// Each workload drains its input, live, and its output is right: with records that are
// early and late, for which there is grace.
func TestWorkloads(t *testing.T) { testWorkloads(t, fakeBroker(t)) }

func testWorkloads(t *testing.T, brokers string) {
	do(t, brokers, "load -topic in -n 60000 -keys 3000 -partitions 3 -rate 2000 -jitter 700 -flush 60s")
	for _, name := range workloads() {
		t.Run(name, func(t *testing.T) {
			f := runFigures(t, brokers, "-workload "+name+" -in in -out out-"+name+" -app-id "+name+" -grace-ms 700 -commit-ms 10 -reset -cleanup -describe")
			t.Logf("%+v", f)
			do(t, brokers, "check -workload "+name+" -in in -out out-"+name+" -grace 700")
			if !f.Complete || f.Records != 60003 || f.Committed != 60003 || f.Contender != "millrace" || f.Workload != name || f.Aborts != 0 {
				t.Errorf("%+v", f)
			}
			if f.Commits < 1 || f.Outputs < 1 || f.OutputBytes < 20*f.Outputs {
				t.Errorf("commits and outputs: %+v", f)
			}
			if stateful := name != "map"; stateful != (f.Changelog > 0) || f.ChangelogBytes < 10*f.Changelog {
				t.Errorf("changelog: %+v", f)
			}
		})
	}
}

// At least once, two workers and a tuned client give the same rows.
func TestVariants(t *testing.T) {
	brokers := fakeBroker(t)
	do(t, brokers, "load -topic in -n 30000 -keys 100 -partitions 4 -rate 1000 -flush 60s")
	for name, args := range map[string]string{
		"alo": "-guarantee alo", "two": "-threads 2", "tuned": "-config M2 -commit-ms 20",
	} {
		f := runFigures(t, brokers, "-workload tumblefinal -in in -out "+name+" -app-id "+name+" "+args)
		do(t, brokers, "check -workload tumblefinal -in in -out "+name)
		if !f.Complete {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// A drained application whose state is gone restores it from its changelog; one that has
// not lost it has nothing to do; and with -reset everything is done again.
func TestRestore(t *testing.T) { testRestore(t, fakeBroker(t)) }

func testRestore(t *testing.T, brokers string) {
	const keys = 200 // 20,000 records meet every one of them
	do(t, brokers, fmt.Sprintf("load -topic restorable -n 20000 -keys %d -partitions 2", keys))
	args := "-workload dedupkeys -in restorable -out out -app-id a -state-dir "
	state := t.TempDir()
	first := runFigures(t, brokers, args+state)
	again := runFigures(t, brokers, args+state)
	if first.Restored != 0 || again.Restored != 0 || again.Outputs != 0 || again.Committed != again.Records {
		t.Errorf("at first %+v\nagain %+v", first, again)
	}
	lost := runFigures(t, brokers, args+t.TempDir()+" -restore")
	if lost.Restored < keys || lost.Outputs != 0 || lost.RestoredRecPerS <= 0 || lost.Restore <= 0 {
		t.Errorf("with its state lost: %+v", lost)
	}
	do(t, brokers, "check -workload dedupkeys -in restorable -out out")
	reset := runFigures(t, brokers, args+state+" -reset -cleanup")
	if reset.Restored != 0 || reset.Outputs < keys {
		t.Errorf("reset: %+v", reset)
	}
	checked := do(t, brokers, "check -workload dedupkeys -in restorable -out out")
	if !strings.Contains(checked, fmt.Sprintf(" %d sink records", reset.Outputs)) {
		t.Errorf("the sink was not made anew for %d outputs: %s", reset.Outputs, checked)
	}
	if cleaned := runFigures(t, brokers, args+state); cleaned.Restored != 0 || cleaned.Outputs < keys {
		t.Errorf("after the clean-up: %+v", cleaned)
	}
	do(t, brokers, "check -workload dedupkeys -in restorable -out out")
}

// A run that is not done in time says so, in its figures and by its error.
func TestIncomplete(t *testing.T) {
	brokers := fakeBroker(t)
	do(t, brokers, "load -topic in -n 100 -partitions 2")
	out, err := try(t, brokers, "run -workload map -in in -out out -restore -state-dir "+t.TempDir()+" -max-s 0.5")
	if err == nil || !strings.Contains(err.Error(), "incomplete") || !strings.Contains(out, `"complete":false`) {
		t.Errorf("%v, printed %s", err, out)
	}
}

// fakeBroker starts a broker inside this process.
func fakeBroker(t *testing.T) (brokers string) {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return strings.Join(fake.ListenAddrs(), ",")
}

// try does a command line.
func try(t *testing.T, brokers, line string) (printed string, err error) {
	t.Helper()
	words := strings.Fields(line)
	var out strings.Builder
	err = run(t.Context(), append([]string{words[0], "-brokers", brokers}, words[1:]...), &out, io.Discard)
	return out.String(), err
}

// do does a command line that must succeed.
func do(t *testing.T, brokers, line string) (printed string) {
	t.Helper()
	printed, err := try(t, brokers, line)
	if err != nil {
		t.Fatalf("bench %s: %v\n%s", line, err, printed)
	}
	return printed
}

// runFigures runs Millrace and returns its figures.
func runFigures(t *testing.T, brokers, args string) (f figures) {
	t.Helper()
	printed := do(t, brokers, "run "+args)
	if err := json.Unmarshal([]byte(printed), &f); err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	return f
}
