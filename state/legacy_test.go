package state

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/state/internal/engine"
)

// legacyInput is the position in testdata/*-1.txt, which a version wrote that knew format 1 only.
var legacyInput = Input{Topic: "in", Partition: 3, Offset: 260, Watermark: -1 << 63, Highest: -1 << 63}

func legacyLines(t testing.TB, name string) [][2]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var all [][2]string
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\n"), " =")
		all = append(all, [2]string{key, strings.TrimSpace(value)})
	}
	return all
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// legacyRecord is the position record in the changelog of format 1.
func legacyRecord(t testing.TB) []byte {
	t.Helper()
	lines := legacyLines(t, "changelog-1.txt")
	return unhex(t, lines[len(lines)-1][1])
}

// checkLegacy sees that every store has the position that the older version wrote for all of them, its own closing, and
// after a commit one of its own and nothing else.
func checkLegacy(t *testing.T, s *Stores, e engine.Engine) {
	t.Helper()
	for store, want := range map[string]Closing{"users": noClosing, "traffic": {Watermark: 60_000, Below: 0}} {
		p, ok := s.Position(store)
		if !ok || len(p.Inputs) != 1 || !slices.Equal(p.Inputs[0].Upstream, legacyInput.Upstream) || p.Inputs[0].Offset != 260 ||
			p.Inputs[0].Watermark != legacyInput.Watermark || p.Run != "run" || p.Closing != want {
			t.Errorf("the position of %q is %+v, %v", store, p, ok)
		}
		if d := s.Differences(store); d != nil {
			t.Errorf("what is not known differs: %v", d)
		}
	}
	records := commitAll(t, s, Position{Inputs: []Input{legacyInput}, Run: "run"})
	for i := range s.stores {
		if n := len(records[i]); n == 0 || len(records[i][n-1].Key) != 1 {
			t.Errorf("the first commit wrote no position for store %d: %v", i, records[i])
		}
	}
	if _, ok, err := e.Get(nil, reservedKey(keyPosition, "")); ok || err != nil {
		t.Errorf("the old position is still there, %v", err)
	}
}

func TestLegacyEngineIsRead(t *testing.T) {
	storage := NewMemory()
	e := engine.NewMemory()
	batch := e.NewBatch()
	for _, kv := range legacyLines(t, "engine-1.txt") {
		if err := batch.Set(unhex(t, kv[0]), unhex(t, kv[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Apply(batch); err != nil {
		t.Fatal(err)
	}
	storage.tasks["0_0"] = e
	s := openSpecs(t, storage, Spec{Name: "users", Kind: KeyValue}, Spec{Name: "traffic", Kind: Window})
	checkLegacy(t, s, e)
}

func TestLegacyChangelogIsRead(t *testing.T) {
	storage := NewMemory()
	s := openSpecs(t, storage, Spec{Name: "users", Kind: KeyValue}, Spec{Name: "traffic", Kind: Window})
	records := map[string][]ChangelogRecord{}
	for _, kv := range legacyLines(t, "changelog-1.txt") {
		store, key, _ := strings.Cut(kv[0], " ")
		rec := ChangelogRecord{Key: unhex(t, key)}
		if kv[1] != "tombstone" {
			rec.Value = append([]byte{}, unhex(t, kv[1])...)
		}
		records[store] = append(records[store], rec)
	}
	for _, store := range []string{"users", "traffic"} {
		if err := s.Restore(store, records[store], int64(len(records[store]))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.FinishRestore(); err != nil {
		t.Fatal(err)
	}
	checkLegacy(t, s, storage.tasks["0_0"])
}
