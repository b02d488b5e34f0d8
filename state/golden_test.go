package state

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state/internal/engine"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew; only with a new format version")

// golden compares bytes that other versions must read with those in testdata, which FORMAT.md explains.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs: stored state and changelogs in the field could not be read. Got\n%s\nwant\n%s", path, got, want)
	}
}

var (
	goldenUsers   = KV[string, string]{Name: "users", Key: serde.String, Value: serde.String}
	goldenTraffic = Windowed[Timestamped[int64]]{Name: "traffic", Value: TimestampedSerde(serde.Int64)}
)

// goldenCommit makes one commit that shows every kind of record. It begins with windows that the second commit drops.
func goldenCommit(t *testing.T, s *Stores) []Entry {
	t.Helper()
	kv, err := goldenUsers.Open(opener{s})
	if err != nil {
		t.Fatal(err)
	}
	w, err := goldenTraffic.Open(opener{s})
	if err != nil {
		t.Fatal(err)
	}
	put := func(start int64, key string, v Timestamped[int64]) {
		slot, _, err := w.Slot(start, []byte(key))
		if err != nil {
			t.Fatal(err)
		}
		*slot = v
	}
	put(-60_000, "old", Timestamped[int64]{Time: 1, Value: 1})
	commitAll(t, s, Position{})
	w.Drop(0)
	w.SetClosing(60_000)
	put(60_000, "b", Timestamped[int64]{Time: 61_000, Value: 258})
	put(0, "a", Timestamped[int64]{Time: -1, Value: -2})
	for _, change := range []error{kv.Put("bob", "Bob"), kv.Put("", ""), kv.Delete("eve")} {
		if change != nil {
			t.Fatal(change)
		}
	}
	s.SetChangelogID("users", "8xVQ")
	entries, err := s.Prepare([]Input{{Topic: "in", TopicID: "7f", Partition: 3, Offset: 260, Watermark: math.MinInt64, Highest: 61_000}}, "run")
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func TestGoldenBytes(t *testing.T) {
	storage := NewMemory()
	s := openSpecs(t, storage, goldenUsers.Spec(), goldenTraffic.Spec())
	entries := goldenCommit(t, s)
	var changelog []byte
	for _, e := range entries {
		value := fmt.Sprintf("%x", e.Value)
		if e.Value == nil {
			value = "tombstone"
		}
		changelog = fmt.Appendf(changelog, "%s %x = %s\n", s.stores[e.Store].spec.Name, e.Key, value)
	}
	golden(t, "changelog.txt", changelog)
	if err := s.Apply([]int64{5, 10}, 1431829260000); err != nil {
		t.Fatal(err)
	}
	golden(t, "engine.txt", dump(t, storage.tasks["0_0"]))
}

func dump(t *testing.T, e engine.Engine) []byte {
	t.Helper()
	var all []byte
	err := e.Scan([]byte{0}, []byte{0xFF, 0xFF}, func(k, v []byte) error {
		all = fmt.Appendf(all, "%x = %x\n", k, v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The golden changelog restored gives the golden engine's state.
func TestGoldenRestore(t *testing.T) {
	storage := NewMemory()
	entries := goldenCommit(t, openSpecs(t, storage, goldenUsers.Spec(), goldenTraffic.Spec()))
	fresh := NewMemory()
	s := openSpecs(t, fresh, goldenUsers.Spec(), goldenTraffic.Spec())
	s.SetChangelogID("users", "8xVQ")
	s.SetLastApplied(1431829260000)
	for i, next := range []int64{5, 10} {
		var records []ChangelogRecord
		for _, e := range entries {
			if e.Store == i {
				records = append(records, ChangelogRecord{slices.Clone(e.Key), slices.Clone(e.Value)})
			}
		}
		if err := s.Restore(s.stores[i].spec.Name, records, next); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.FinishRestore(); err != nil {
		t.Fatal(err)
	}
	golden(t, "engine.txt", dump(t, fresh.tasks["0_0"]))
}
