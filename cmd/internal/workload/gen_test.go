package workload

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func generator(t *testing.T, p Parameters) *Gen {
	t.Helper()
	g, err := NewGen(p)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// The data is a contract: these digests must never change.
func TestGenGolden(t *testing.T) {
	for _, tc := range []struct {
		p    Parameters
		want string
	}{
		{Parameters{Keys: 10_000, ValueSize: 100, Rate: 50_000, Seed: 1}, "2d101d0b87126809"},
		{Parameters{Keys: 1_000_000, Zipf: 1, ValueSize: 100, Rate: 50_000, Jitter: 500, Seed: 2}, "25fc3b2a808260d1"},
		{Parameters{Keys: 10_000_000, Zipf: 0.8, ValueSize: 1021, Rate: 3, Seed: 3}, "7c126b7443618146"},
		{Parameters{Keys: 10_000, ValueSize: 100, Rate: 50_000, Seed: 1, EveryKey: true}, "b7d97f7a96022a3f"},
	} {
		g := generator(t, tc.p)
		h := sha256.New()
		var key [KeySize]byte
		value := make([]byte, g.ValueSize)
		for seq := range int64(10_000) {
			ts := g.Record(seq, &key, value)
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(ts)))
			h.Write(key[:])
			h.Write(value)
		}
		if got := fmt.Sprintf("%x", h.Sum(nil)[:8]); got != tc.want {
			t.Errorf("%+v: digest %s, want %s", tc.p, got, tc.want)
		}
	}
}

func TestGenRecord(t *testing.T) {
	g := generator(t, Parameters{Keys: 100, ValueSize: 101, Rate: 50_000, Jitter: 200, Seed: 7})
	var key [KeySize]byte
	value := make([]byte, g.ValueSize)
	early := 0
	const n = 100_000
	for seq := range int64(n) {
		ts := g.Record(seq, &key, value)
		if id, ok := ParseKey(key[:]); !ok || id >= 100 {
			t.Fatalf("key %q", key)
		}
		if a := be64(value); a < 0 || a >= AmountRange {
			t.Fatalf("amount %d", a)
		}
		if be64(value[8:]) != seq {
			t.Fatalf("seq %d", be64(value[8:]))
		}
		for _, c := range value[MinValueSize:] {
			if c < ' ' || c > '~' {
				t.Fatalf("filler %q", value[MinValueSize:])
			}
		}
		d := BaseTimestamp + seq*1000/g.Rate - ts
		if d < 0 || d > g.Jitter {
			t.Fatalf("jitter %d", d)
		}
		if d > 0 {
			early++
		}
	}
	if early < n*9/100 || early > n*11/100 {
		t.Errorf("%d of %d records are early", early, n)
	}
}

func TestZipf(t *testing.T) {
	for _, e := range []float64{0.5, 0.8, 1, 1.1, 2} {
		const n, samples = 50, 200_000
		z := newZipf(n, e)
		r := newRNG(1, 2)
		var count [n]float64
		for range samples {
			count[z.next(&r)]++
		}
		var norm float64
		for k := 1.0; k <= n; k++ {
			norm += math.Pow(k, -e)
		}
		for k := range count {
			want := samples * math.Pow(float64(k+1), -e) / norm
			if math.Abs(count[k]-want) > 5*math.Sqrt(want)+1 {
				t.Errorf("exponent %v: id %d came %v times, want %.0f", e, k, count[k], want)
			}
		}
	}
}

func TestPartitionOf(t *testing.T) {
	p := kgo.StickyKeyPartitioner(nil).ForTopic("t")
	var key [KeySize]byte
	for id := range uint64(1000) {
		PutKey(&key, id)
		for n := range KeySize + 1 {
			if n == 0 {
				continue
			}
			k := key[KeySize-n:]
			if got, want := PartitionOf(k, 7), p.Partition(&kgo.Record{Key: k}, 7); got != want {
				t.Fatalf("%q: partition %d, want %d", k, got, want)
			}
		}
	}
}
