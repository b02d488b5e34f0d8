package statetest_test

import (
	"testing"
	"testing/synctest"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/state/statetest"
)

type opener struct{ s *state.Stores }

func (o opener) Stores() *state.Stores { return o.s }

func openTask(t *testing.T, storage state.Storage, task string) (*state.Stores, *state.KeyValueStore[string, int64]) {
	t.Helper()
	kv := state.KV[string, int64]{Name: "kv", Key: serde.String, Value: serde.Int64}
	s, err := storage.Open(task, state.Identity{ApplicationID: "any", Task: task}, []state.Spec{kv.Spec()})
	if err != nil {
		t.Fatal(err)
	}
	store, err := kv.Open(opener{s})
	if err != nil {
		t.Fatal(err)
	}
	return s, store
}

func commit(t *testing.T, s *state.Stores, kv *state.KeyValueStore[string, int64], n, wall int64) {
	t.Helper()
	if err := kv.Put("k", n); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prepare([]state.Input{{Topic: "in", Offset: n}}, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply([]int64{2 * n}, wall); err != nil {
		t.Fatal(err)
	}
}

// What was closed with a flush survives, what was not flushed is lost, and what the dead process does afterwards is
// never seen.
func TestCrash(t *testing.T) {
	c := statetest.NewCrashable()
	process := c.ProcessID()
	if err := c.SetNote("member", "m-1"); err != nil {
		t.Fatal(err)
	}
	flushed, kv := openTask(t, c, "0_0")
	commit(t, flushed, kv, 1, 0)
	if err := flushed.Close(true); err != nil {
		t.Fatal(err)
	}
	dead, kv := openTask(t, c, "0_0")
	commit(t, dead, kv, 2, 1)
	if err := c.Crash(0, 1); err != nil {
		t.Fatal(err)
	}
	commit(t, dead, kv, 3, 2)
	alive, kv := openTask(t, c, "0_0") // while the dead one still has it open
	if v, ok, err := kv.Get("k"); v != 1 || !ok || err != nil {
		t.Errorf("after the crash k = %d, %v, %v; want the flushed 1", v, ok, err)
	}
	if next := alive.ChangelogNext("kv"); next != 2 {
		t.Errorf("after the crash the changelog is applied up to %d, want 2", next)
	}
	if err := dead.Close(true); err != nil {
		t.Fatal(err)
	}
	if v, _, err := kv.Get("k"); v != 1 || err != nil {
		t.Errorf("the dead process wrote into the living one's store: k = %d, %v", v, err)
	}
	if err := alive.Close(false); err != nil {
		t.Fatal(err)
	}
	if note, err := c.Note("member"); note != "m-1" || err != nil || c.ProcessID() != process {
		t.Errorf("after the crash note %q, %v and process id %q, want m-1 and %q", note, err, c.ProcessID(), process)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// A task that commits little is flushed by age, so that a crash costs it no more than that.
func TestFlushByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := statetest.NewCrashable()
		s, kv := openTask(t, c, "0_0")
		for i, wall := range []int64{1_000_000, 1_029_999, 1_031_000, 1_032_000} {
			commit(t, s, kv, int64(i+1), wall)
			synctest.Wait() // for a flush in the background
		}
		if err := c.Crash(0, 1); err != nil {
			t.Fatal(err)
		}
		again, _ := openTask(t, c, "0_0")
		if next := again.ChangelogNext("kv"); next != 6 {
			t.Errorf("after the crash the changelog is applied up to %d, want 6, that of the flush at 31 s", next)
		}
		for _, s := range []*state.Stores{s, again} {
			if err := s.Close(false); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
