package state

import (
	"fmt"
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
)

const benchKeyCount = 10_000

// benchKeys are keys of 16 bytes that begin alike, as ids often do.
func benchKeys() [][]byte {
	keys := make([][]byte, benchKeyCount)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "user-%011d", i*7919%1_000_003)
	}
	return keys
}

func BenchmarkCommit(b *testing.B) {
	for _, storage := range []struct {
		name string
		make func(b *testing.B) Storage
	}{
		{"memory", func(*testing.B) Storage { return NewMemory() }},
		{"disk", func(b *testing.B) Storage {
			d, err := OpenDisk(b.TempDir(), "app", DiskOptions{})
			if err != nil {
				b.Fatal(err)
			}
			return d
		}},
	} {
		b.Run(storage.name, func(b *testing.B) {
			s := open(b, storage.make(b))
			defer s.Close(false)
			w, err := Windowed[Timestamped[int64]]{Name: "w", Value: TimestampedSerde(serde.Int64)}.Open(opener{s})
			if err != nil {
				b.Fatal(err)
			}
			keys := benchKeys()
			next := int64(0)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i++ {
				b.StopTimer()
				for _, k := range keys {
					v, _, err := w.Slot(0, k)
					if err != nil {
						b.Fatal(err)
					}
					v.Value++
				}
				b.StartTimer()
				entries, err := s.Prepare([]Input{{Topic: "in", Offset: int64(i)}}, "")
				if err != nil {
					b.Fatal(err)
				}
				next += int64(len(entries))
				if err := s.Apply([]int64{next, next}, int64(i)*100); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchKeyCount, "ns/entry")
		})
	}
}

func BenchmarkWindowSlotHit(b *testing.B) {
	s := open(b, NewMemory())
	w, err := Windowed[Timestamped[int64]]{Name: "w", Value: TimestampedSerde(serde.Int64)}.Open(opener{s})
	if err != nil {
		b.Fatal(err)
	}
	keys := benchKeys()
	for _, k := range keys {
		if _, _, err := w.Slot(0, k); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		v, _, err := w.Slot(0, keys[uint32(i)*2654435761%benchKeyCount])
		if err != nil {
			b.Fatal(err)
		}
		v.Value++
	}
}
