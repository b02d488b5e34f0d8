package compare

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// The tangent meets the curve where the run was and stays close around it.
func TestTangent(t *testing.T) {
	for _, keys := range []float64{10_000, 1_000_000} {
		dirty := func(n float64) float64 { return keys * -math.Expm1(-n/keys) }
		for _, n := range []float64{1_000, 30_000, 100_000} {
			s := split(dirty(n)/n, n, slopeOf(n, keys))
			for _, faster := range []float64{0.8, 1, 1.25} {
				got, want := s.perRecord*n*faster+s.perCommit, dirty(n*faster)
				bound := 0.05
				if faster == 1 {
					bound = 1e-9
				}
				if math.Abs(got-want) > bound*want {
					t.Errorf("%v keys, %v records per commit, %v times as many: %v, want %v", keys, n, faster, got, want)
				}
			}
		}
	}
	if s := slopeOf(0, 5); s != 1 {
		t.Errorf("slope %v of nothing", s)
	}
}

func TestMatchedFlags(t *testing.T) {
	r := Result{Row: Row{Records: 1_000_000}, Reported: Reported{Outputs: 900_000, OutputBytes: 9_000_000, Transactions: 10}}
	flags := func(workload string) string {
		return strings.Join(matchedFlags(Load{Workload: workload, Keys: 100}, r), " ")
	}
	if got, want := flags("map"), "-outputs-per-record 0.900000 -outputs-per-commit 0.000000 -changelog-per-record 0.000000 -changelog-per-commit 0.000000 -output-bytes 10"; got != want {
		t.Errorf("map: %s, want %s", got, want)
	}
	r.Outputs, r.OutputBytes, r.Changelog, r.ChangelogBytes = 1000, 30_000, 2000, 100_000
	if got := flags("tumble"); !strings.Contains(got, "-outputs-per-commit 100.000000 ") || !strings.Contains(got, "-changelog-per-commit 200.000000 ") || !strings.HasSuffix(got, "-output-bytes 30 -changelog-bytes 50") {
		t.Errorf("tumble: %s", got)
	}
	if got := flags("tumblefinal"); !strings.HasPrefix(got, "-outputs-per-record 0.001000 -outputs-per-commit 0.000000 ") {
		t.Errorf("tumblefinal: %s", got)
	}
}

// A loop that commits more often writes more where the number goes with the commits, and
// one that writes something else is found out.
func TestVolume(t *testing.T) {
	load := Load{Workload: "tumble", Keys: 100}
	run := Result{Row: Row{Records: 1_000_000}, Reported: Reported{Outputs: 1000, Changelog: 2000, Transactions: 10}}
	for _, tc := range []struct {
		outputs, changelog, commits int64
		good                        bool
	}{
		{1000, 2000, 10, true}, {1200, 2400, 12, true}, {1040, 1950, 10, true},
		{1200, 2400, 10, false}, {1000, 1800, 10, false}, {0, 0, 10, false},
	} {
		loop := Result{Row: run.Row, Reported: Reported{Outputs: tc.outputs, Changelog: tc.changelog, Transactions: tc.commits}}
		if err := checkVolume(load, run, loop); (err == nil) != tc.good {
			t.Errorf("%+v: %v", tc, err)
		}
	}
}

// The command lines, as whoever repeats a run by hand needs them.
func TestCommands(t *testing.T) {
	tools := Tools{Self: "bench", Peers: "peers"}
	job := func(load, peer, config string, ms int, layout string) Job {
		for _, s := range (Selection{Loads: []string{load}, Layouts: []string{layout}, All: true}).Entries() {
			if s.Entry.Peer == peer && s.Entry.Config == config && s.Entry.CommitMS == ms {
				return Job{Step: s, Brokers: "b:1", In: "in", Out: "out", AppID: "id", Dir: "d", Limit: 9, Matched: &Result{}}
			}
		}
		t.Fatalf("no %s of %s", config, peer)
		return Job{}
	}
	for _, tc := range []struct {
		job  Job
		want string
	}{
		{job("map", Loop, "L2", 100, Pinned), "bench loop -mode L2 -interval 100ms -brokers b:1 -in in -out out -group id -max-s 9"},
		{job("lat5k", Loop, "L2p", 20, Pinned), "bench loop -mode L2p -interval 20ms -brokers b:1 -in in -out out -group id -follow -linger 0"},
		{job("map", Millrace, "", 100, Shared), "bench run --workload map --in in --out out --brokers b:1 --commit-ms 100 --threads 2 --guarantee eos --state-dir d/state --app-id id --max-s 9"},
		{job("tumblefinal", KafkaStreams, "K3-emit1s", 100, Pinned), "peers/kafka-streams/run.sh --workload tumblefinal --in in --out out --brokers b:1 --commit-ms 100 --threads 1 --guarantee eos --state-dir d/state --app-id id --max-s 9 --config K3 --emit-interval-ms 1000"},
		{job("lat20k", Flink, "F1", 100, Pinned), "peers/flink/run.sh --workload map --in in --out out --brokers b:1 --commit-ms 100 --threads 1 --guarantee eos --state-dir d/state --app-id id --max-s 9 --config F1 --forever"},
	} {
		c := tools.Command(tc.job)
		if got := strings.Join(c.Args, " "); got != tc.want {
			t.Errorf("command\n%s, want\n%s", got, tc.want)
		}
		if pinned := tc.job.Step.Layout == Pinned; (c.Cores == "1") != pinned || slices.Contains(c.Env, "GOMAXPROCS=1") != pinned {
			t.Errorf("%s on cores %q with %q", tc.job.Step.Layout, c.Cores, c.Env)
		}
	}
	if c := tools.Command(job("map", Loop, "L3", 100, Pinned)); !slices.Contains(c.Args, "-outputs-per-record") {
		t.Errorf("the matched loop: %q", c.Args)
	}
}
