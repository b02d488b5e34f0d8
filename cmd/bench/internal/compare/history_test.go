package compare

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "history.ndjson")
	if all, err := ReadHistory(path); all != nil || err != nil {
		t.Fatalf("no file: %v, %v", all, err)
	}
	complete := true
	want := []Result{
		{
			Row: Row{Commit: "abc", Load: "map", Layout: Pinned, Peer: Flink, Config: "F1", CommitMS: 1000, Records: 5, Seed: 2},
			At:  time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Check: Pass, Slack: 7,
			Figures: Figures{Rate: 1.5, Steady: 60, Commits: 70, CPU: 2, Broker: 1, Others: 3}, Percentiles: Percentiles{1, 2, 3, 4},
			PeakRSS: 9, Seconds: 100, Sink: 4,
			Reported: Reported{Complete: &complete, Outputs: 4, OutputBytes: 40, Changelog: 3, ChangelogBytes: 30, Transactions: 2},
		},
		{Row: Row{Commit: "abd", Peer: Loop, Config: "L2"}, Check: "1 row is wrong"},
	}
	for _, r := range want {
		if err := AppendHistory(path, r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadHistory(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v", got, err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(content), "\n"); n != len(want) {
		t.Errorf("%d lines:\n%s", n, content)
	}
}

// A blank line is nothing; half a line, as a full disk leaves it, is named.
func TestHistoryDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.ndjson")
	text := `{"commit":"a","check":"pass","at":"2026-01-01T00:00:00Z"}` + "\n\n" + `{"commit":"b","che`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := ReadHistory(path); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("read %+v, %v", all, err)
	}
}

// The field names are those of the Kafka Streams contender's line.
func TestReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	for _, tc := range []struct {
		text    string
		outputs int64
		fails   bool
	}{
		{"words\n{\"outputs\":1}\n{\"outputs\":2,\"complete\":true,\"workload\":\"map\"}\nL2 words\n", 2, false},
		{"L2 interval 100ms: 5 records\n", 0, false},
		{"", 0, false},
		{"{\"outputs\":", 0, true},
	} {
		if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if r, err := reported(path); r.Outputs != tc.outputs || (err != nil) != tc.fails {
			t.Errorf("%q: %+v, %v", tc.text, r, err)
		}
	}
}

func TestPercentiles(t *testing.T) {
	const said = `{"rate":20000,"received":5,"p50_ms":61.2,"p90_ms":100,"p99_ms":141,"p99_9_ms":195.5,"max_ms":300,"sender_p99_ms":1,"sender_p99_9_ms":3.4}`
	if p, err := percentiles([]byte(said)); err != nil || p != (Percentiles{61.2, 141, 195.5, 3.4}) {
		t.Errorf("%+v, %v", p, err)
	}
	for _, said := range []string{"", "{}", "rate 5"} {
		if p, err := percentiles([]byte(said)); err == nil {
			t.Errorf("%+v of %q", p, said)
		}
	}
}
