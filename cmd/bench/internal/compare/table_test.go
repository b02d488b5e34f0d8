package compare

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden table anew")

// The table of a history with good, doubtful and failed runs, of another commit and
// another size, is as it was when somebody looked at it.
func TestTable(t *testing.T) {
	sel := Selection{Loads: []string{"tumblefinal", "lat5k", "scale-keys", "scale-workers"}, Reps: 3, Seed: 1, Commit: "abc"}
	var history []Result
	add := func(load, peer, config string, ms int, records int64, rates ...float64) {
		for _, rate := range rates {
			r := Result{
				Row:       Row{Commit: "abc", Load: load, Layout: Pinned, Peer: peer, Config: config, CommitMS: ms, Records: records, Seed: 1},
				Processor: "Some Processor", Cores: 2, Check: Pass, PeakRSS: 100 << 20, Sink: records / 50,
				Figures: Figures{Rate: rate, Steady: 70, Commits: 500, CPU: 1e6 / rate, Broker: 0.25, Others: 1},
			}
			if load == "lat5k" {
				r.Figures, r.Percentiles = Figures{}, Percentiles{rate, 2 * rate, 3 * rate, 1}
			}
			history = append(history, r)
		}
	}
	add("tumblefinal", Loop, "L2", 100, most, 1_100_000, 1_200_000, 1_300_000)
	add("tumblefinal", Millrace, "", 100, most, 900_000, 1_000_000, 950_000)
	add("tumblefinal", Loop, "L3", 100, most, 1_900_000)
	add("tumblefinal", KafkaStreams, "K3-emit1s", 100, most, 475_000, 485_000)
	add("tumblefinal", Flink, "F1", 1000, most, 1_000_000)
	add("tumblefinal", Flink, "F1", 1000, most, 1)
	history[len(history)-1].Check = "tumblefinal: 3 input records; 0 passed, 1 failed\n  missing | a row that is said at such length that the table cuts it"
	add("tumblefinal", Millrace, "", 100, 5, 1) // another size
	add("lat5k", Millrace, "", 100, 300_000, 55, 60)
	add("scale-keys-1k", Millrace, "", 100, scaleRecords, 2_100_000)
	add("scale-keys-1m", Millrace, "", 100, scaleRecords, 600_000)
	add("scale-workers-2", Millrace, "", 100, scaleRecords, 4_000_000)
	history[len(history)-1].Layout, history[len(history)-1].OutputBytes = Shared, scaleRecords
	history[3].Figures.Commits, history[3].Steady, history[3].Others = 5, 20, 50
	history = append(history, Result{Row: Row{Commit: "old", Load: "tumblefinal", Layout: Pinned, Peer: Millrace, CommitMS: 100, Records: most, Seed: 1}, Check: Pass, Figures: Figures{Rate: 1}})

	got := Markdown(sel, history)
	golden := filepath.Join("testdata", "table.md")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
	if got := Markdown(Selection{Reps: 1, Commit: "none"}, history); got != "no runs yet\n" {
		t.Errorf("of nothing:\n%s", got)
	}
}
