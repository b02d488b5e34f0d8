package state

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSortEntries(t *testing.T) {
	shapes := map[string]func(i int, r *rand.Rand) []byte{
		"random":       func(_ int, r *rand.Rand) []byte { return binaryKey(r, 12) },
		"short":        func(_ int, r *rand.Rand) []byte { return binaryKey(r, 3) },
		"shared":       func(i int, _ *rand.Rand) []byte { return fmt.Appendf(nil, "customer/europe/%d", i*7919%100_003) },
		"late":         func(i int, r *rand.Rand) []byte { return fmt.Appendf(nil, "%d/a long middle part/%d", i%3, r.Uint64()) },
		"zeros behind": func(i int, _ *rand.Rand) []byte { return append([]byte("k"), make([]byte, i)...) },
		"high bytes": func(_ int, r *rand.Rand) []byte {
			return []byte{byte(r.Uint32()), 0xFF, byte(r.Uint32()), byte(r.Uint32())}
		},
	}
	for name, shape := range shapes {
		for _, n := range []int{0, 1, 2, radixMin - 1, radixMin, 5000} {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				random, table, s := rand.New(rand.NewPCG(1, uint64(n))), &table[int64]{}, &sorter{}
				var indexes []uint32
				var want [][]byte
				for i := range n {
					key := shape(i, random)
					if table.find(key, hashKey(key)) >= 0 {
						continue
					}
					at, err := table.insert(key, hashKey(key))
					if err != nil {
						t.Fatal(err)
					}
					indexes, want = append(indexes, uint32(at)), append(want, key)
				}
				slices.SortFunc(want, bytes.Compare)
				random.Shuffle(len(indexes), func(i, j int) { indexes[i], indexes[j] = indexes[j], indexes[i] })
				got := sortEntries(s, table, indexes)
				if len(got) != len(want) {
					t.Fatalf("%d entries sorted, want %d", len(got), len(want))
				}
				for i, it := range got {
					if !bytes.Equal(table.key(int(it.index)), want[i]) {
						t.Fatalf("place %d has %q, want %q", i, table.key(int(it.index)), want[i])
					}
				}
			})
		}
	}
}

func binaryKey(r *rand.Rand, maxLength int) []byte {
	key := make([]byte, r.IntN(maxLength+1))
	for i := range key {
		key[i] = byte(r.Uint32())
	}
	return key
}
