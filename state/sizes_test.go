package state

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// The worker commits before the dirty bytes are too many for one commit, so values that are new must be among them, in
// the first commit as in all others.
func TestDirtyBytesCountNewValues(t *testing.T) {
	const values = 1000
	for name, write := range map[string]func(kv *KeyValueStore[string, string], key, value string) error{
		"Put": func(kv *KeyValueStore[string, string], key, value string) error { return kv.Put(key, value) },
		"Slot": func(kv *KeyValueStore[string, string], key, value string) error {
			v, _, err := kv.Slot([]byte(key))
			if err == nil {
				*v = value
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, NewMemory())
			kv, err := openKV(s)
			if err != nil {
				t.Fatal(err)
			}
			for commit, size := range []int{10_000, 10_000, 10, 10_000} {
				value := strings.Repeat("x", size)
				for i := range values {
					if err := write(kv, fmt.Sprintf("%d-%d", commit, i), value); err != nil {
						t.Fatal(err)
					}
				}
				if got := s.DirtyBytes(); got < values*size/2 {
					t.Errorf("commit %d: %d values of %d bytes count as %d bytes", commit, values, size, got)
				}
				commitAll(t, s, at(int64(commit)))
			}
			for i := range values {
				if err := kv.Delete(fmt.Sprint(i)); err != nil {
					t.Fatal(err)
				}
			}
			if got := s.DirtyBytes(); got > values*100 {
				t.Errorf("%d deletions count as %d bytes", values, got)
			}
		})
	}
}

// brittle is a codec that cannot encode every value.
type brittle struct{ serde.Codec[string] }

func (c brittle) Append(dst []byte, v string) ([]byte, error) {
	switch v {
	case "panic":
		panic("brittle")
	case "error":
		return nil, errors.New("brittle")
	}
	return c.Codec.Append(dst, v)
}

// To know the size of values some are encoded early. What fails then must not be put down to the key that happens to be
// written: it fails again in Prepare.
func TestValueThatCannotBeEncodedFailsOnlyInPrepare(t *testing.T) {
	plain, err := serde.String.Bind(serde.Use{})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"panic", "error"} {
		s := open(t, NewMemory())
		kv, err := KV[string, string]{Name: "kv", Key: serde.String, Value: serde.Of[string](brittle{plain})}.Open(opener{s})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 * sampleEvery {
			if err := kv.Put(fmt.Sprint(i), bad); err != nil {
				t.Fatalf("%s: Put: %v", bad, err)
			}
		}
		var failed any
		func() {
			defer func() {
				if p := recover(); p != nil {
					failed = p
				}
			}()
			_, failed = s.Prepare(at(1).Inputs, "")
		}()
		if failed == nil || !strings.Contains(fmt.Sprint(failed), "brittle") {
			t.Errorf("%s: Prepare came to %v, want the failure of the codec", bad, failed)
		}
	}
}
