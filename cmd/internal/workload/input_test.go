package workload

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Flush records belong to the contract too: the digest must never change.
func TestInput(t *testing.T) {
	gen := generator(t, Parameters{Keys: 100, ValueSize: 40, Rate: 5000, Jitter: 100, Seed: 4})
	const n, partitions, flush = 1000, 8, 60_000 // ms
	in, err := NewInput(gen, n, partitions, flush*time.Millisecond)
	if err != nil || in.Total() != n+partitions {
		t.Fatal(in.Total(), err)
	}
	h := sha256.New()
	var key, dataKey [KeySize]byte
	value, data := make([]byte, gen.ValueSize), make([]byte, gen.ValueSize)
	for seq := range in.Total() {
		ts := in.Record(seq, &key, value)
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(ts)))
		h.Write(key[:])
		h.Write(value)
		id, ok := ParseKey(key[:])
		if seq < n {
			if dataTs := gen.Record(seq, &dataKey, data); ts != dataTs || key != dataKey || !bytes.Equal(value, data) || IsFlush(id) || isFlushRow(key[:]) {
				t.Fatalf("record %d is not the generator's", seq)
			}
			continue
		}
		if p := PartitionOf(key[:], partitions); !ok || !IsFlush(id) || p != int(seq-n) {
			t.Errorf("flush key %s in partition %d", key, p)
		}
		if ts != BaseTimestamp+(n-1)*1000/5000+flush || be64(value) != 0 || be64(value[8:]) != seq {
			t.Errorf("flush record %d: ts %d amount %d seq %d", seq, ts, be64(value), be64(value[8:]))
		}
		if row := append(key[:], make([]byte, 16)...); !isFlushRow(key[:]) || !isFlushRow(row) || isFlushRow(key[1:]) {
			t.Errorf("flush key %s is not recognized", key)
		}
	}
	if got, want := fmt.Sprintf("%x", h.Sum(nil)[:8]), "69546a8f252a699b"; got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

func TestFlushKeys(t *testing.T) {
	for _, n := range []int{1, 3, 8, 500} {
		keys, err := flushKeys(n)
		if err != nil {
			t.Fatal(err)
		}
		for p, k := range keys {
			if PartitionOf(k[:], n) != p {
				t.Errorf("%d partitions: key %s is not of partition %d", n, k, p)
			}
		}
	}
	if _, err := flushKeys(50_000); err == nil {
		t.Error("flush keys for too many partitions")
	}
}

func TestEveryKey(t *testing.T) {
	g := generator(t, Parameters{Keys: 500, ValueSize: 16, Rate: 50_000, Seed: 1, EveryKey: true})
	var key [KeySize]byte
	value := make([]byte, g.ValueSize)
	for seq := range g.Keys {
		g.Record(seq, &key, value)
		if id, _ := ParseKey(key[:]); id != uint64(seq) {
			t.Fatalf("record %d has key id %d", seq, id)
		}
	}
}

func TestComplaints(t *testing.T) {
	_, err := NewGen(Parameters{Zipf: -1, Jitter: -1})
	for _, want := range []string{"keys", "rate", "jitter", "zipf", "values of 0 bytes"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no complaint about %s: %v", want, err)
		}
	}
	if _, err := NewGen(Parameters{Keys: 1, Rate: 1, ValueSize: 16, Zipf: 1, EveryKey: true}); err == nil {
		t.Error("a zipf distribution with one record for each key")
	}
	g := generator(t, Parameters{Keys: 1, Rate: 1, ValueSize: 16})
	for _, flush := range []time.Duration{-time.Second, time.Microsecond} {
		if _, err := NewInput(g, 1, 1, flush); err == nil {
			t.Errorf("flush %v", flush)
		}
	}
	if _, err := NewInput(g, 1, 0, 0); err == nil {
		t.Error("no partitions")
	}
}
