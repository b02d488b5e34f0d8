package compare

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The picture in the tree is what the history in the tree says.
func TestChartOfTheHistory(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "testdata", "bench")
	history, err := ReadHistory(filepath.Join(dir, "history.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(filepath.Join(dir, "rates.svg"))
	if err != nil {
		t.Fatal(err)
	}
	if Chart(history) != string(kept) {
		t.Error("testdata/bench/rates.svg is not drawn from testdata/bench/history.ndjson: go run ./cmd/bench chart")
	}
}

// A workload is drawn at the commit at which all contenders have run most often, the latest of several; what did not pass, or shared its core, is
// left out.
func TestChartChooses(t *testing.T) {
	run := func(commit, load, peer, layout, check string, rate float64) Result {
		return Result{Row: Row{Commit: commit, Load: load, Peer: peer, Layout: layout}, Check: check, Figures: Figures{Rate: rate}}
	}
	var history []Result
	for _, commit := range []string{"a", "b"} {
		for _, peer := range chartPeers() {
			rate := map[string]float64{"a": 111_000, "b": 222_000}[commit]
			history = append(history, run(commit, "map", peer, Pinned, Pass, rate), run(commit, "map", peer, Pinned, Pass, rate+1000), run(commit, "map", peer, Pinned, Pass, rate+2000))
		}
	}
	history = append(history,
		run("b", "map", Millrace, Pinned, "3 rows are wrong", 999_000),
		run("b", "map", Millrace, Shared, Pass, 888_000),
		run("c", "map", Millrace, Pinned, Pass, 777_000),                                                                                                      // without its peers
		run("d", "map", Millrace, Pinned, Pass, 555_000), run("d", "map", KafkaStreams, Pinned, Pass, 555_000), run("d", "map", Flink, Pinned, Pass, 555_000), // once
		run("b", "hop", Millrace, Pinned, Pass, 666_000),
	)
	svg := Chart(history)
	if n := strings.Count(svg, ">223 "); n != len(chartPeers()) {
		t.Errorf("%d bars at the median of the latest commit", n)
	}
	for _, wrong := range []string{"112", "999", "888", "777", "666", "555", "hop"} {
		if strings.Contains(svg, ">"+wrong) {
			t.Errorf("%s is drawn", wrong)
		}
	}
	if Chart(nil) == "" {
		t.Error("no history has no picture")
	}
}
