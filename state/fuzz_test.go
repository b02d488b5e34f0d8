package state

import (
	"bytes"
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// Each decoder is checked for the same: no panic, and whatever it accepts is encoded again to the same bytes.

func FuzzDecodePosition(f *testing.F) {
	f.Add(Position{}.Append(nil))
	f.Add(samplePosition().Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodePosition(b)
		if err == nil && !bytes.Equal(p.Append(nil), b) {
			t.Errorf("%x is decoded as %+v, which is encoded as %x", b, p, p.Append(nil))
		}
	})
}

func FuzzDecodeRecords(f *testing.F) {
	f.Add(storeRecord{id: storeIDFirst, kind: Window}.append(nil))
	f.Add(changelogRecord{next: 7, topicID: "id"}.append(nil))
	f.Add(Identity{ApplicationID: "app", Task: "0_3"}.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := decodeStoreRecord(b); err == nil && !bytes.Equal(r.append(nil), b) {
			t.Errorf("store record %x", b)
		}
		if r, err := decodeChangelogRecord(b); err == nil && !bytes.Equal(r.append(nil), b) {
			t.Errorf("changelog record %x", b)
		}
		if r, err := decodeIdentity(b); err == nil && b[0] == identityFormat && !bytes.Equal(r.append(nil), b) {
			t.Errorf("identity record %x", b)
		}
	})
}

func FuzzDecodeTimestamped(f *testing.F) {
	codec, err := TimestampedSerde(serde.Int64).Bind(serde.Use{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(make([]byte, 16))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := codec.Decode(b)
		if err != nil {
			return
		}
		if again, err := codec.Append(nil, v); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x is decoded as %+v, which is encoded as %x, %v", b, v, again, err)
		}
	})
}

func FuzzDecodeProcess(f *testing.F) {
	f.Add([]byte(`{"format":1,"application_id":"app","process_id":"id"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := decodeProcess(b); err == nil && (p.Format != diskFormat || p.ProcessID == "") {
			t.Errorf("%q is accepted as %+v", b, p)
		}
	})
}

// A changelog may hold anything: restoring it must give an error or state that can be read and committed.
func FuzzRestore(f *testing.F) {
	f.Add([]byte{tagKeyValue, 'k'}, []byte("v"), true)
	f.Add(appendStart([]byte{tagWindow}, 5), []byte("v"), false)
	f.Add([]byte{tagPosition}, samplePosition().Append(nil), true)
	f.Add([]byte{tagPosition}, legacyRecord(f), true)
	f.Fuzz(func(t *testing.T, key, value []byte, kv bool) {
		s := open(t, NewMemory())
		name := map[bool]string{true: "kv", false: "w"}[kv]
		if err := s.Restore(name, []ChangelogRecord{{Key: key, Value: value}}, 1); err != nil {
			return
		}
		if err := s.FinishRestore(); err != nil {
			t.Fatal(err)
		}
		k, err := KV[[]byte, []byte]{Name: "kv", Key: serde.Bytes, Value: serde.Bytes}.Open(opener{s})
		if err != nil {
			t.Fatal(err)
		}
		w, err := Windowed[[]byte]{Name: "w", Value: serde.Bytes}.Open(opener{s})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for range k.All() {
			n++
		}
		for _, start := range w.Starts() {
			if err := w.Each(start, func([]byte, *[]byte) error { n++; return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if n > 1 || k.Err() != nil {
			t.Errorf("one record gave %d entries, %v", n, k.Err())
		}
		if _, err := s.Prepare(nil, ""); err != nil {
			t.Error(err)
		}
	})
}
