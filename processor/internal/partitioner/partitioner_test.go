package partitioner

import (
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The vectors of Kafka's own UtilsTest.testMurmur2.
func TestJavaVectors(t *testing.T) {
	for key, want := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("murmur2(%q) = %d, want %d", key, got, want)
		}
	}
}

func TestPartition(t *testing.T) {
	for _, tt := range []struct {
		key  []byte
		n    int32
		want int32
	}{
		{nil, 7, 0},
		{[]byte{}, 1, 0},
		{[]byte("foobar"), 4, (-790332482 & 0x7fffffff) % 4},
		{[]byte("abc"), 10, 479470107 % 10},
	} {
		if got := Partition(tt.key, tt.n); got != tt.want {
			t.Errorf("Partition(%q, %d) = %d, want %d", tt.key, tt.n, got, tt.want)
		}
	}
}

// Records of other Kafka clients with the same key must meet ours.
func TestAgreesWithClient(t *testing.T) {
	theirs := kgo.StickyKeyPartitioner(nil).ForTopic("any")
	r := rand.New(rand.NewPCG(1, 1))
	for range 10000 {
		key := make([]byte, r.IntN(64))
		for i := range key {
			key[i] = byte(r.Uint32())
		}
		n := 1 + r.IntN(200)
		if got, want := Partition(key, int32(n)), theirs.Partition(&kgo.Record{Key: key}, n); int(got) != want {
			t.Fatalf("Partition(%x, %d) = %d, the client says %d", key, n, got, want)
		}
	}
}

func TestPartitionAllocatesNothing(t *testing.T) {
	key := []byte("10.0.0.1")
	if n := testing.AllocsPerRun(100, func() { Partition(key, 8) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
