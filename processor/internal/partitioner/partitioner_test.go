package partitioner

import (
	"testing"
)

func TestPartition(t *testing.T) {
	for _, tt := range []struct {
		key  []byte
		n    int32
		want int32
	}{
		{nil, 7, 0},
		{[]byte{}, 1, 0},
		{[]byte("foobar"), 4, (-790332482 & 0x7fffffff) % 4},
		{[]byte("abc"), 10, 479470107 % 10}, // the hashes are those of Kafka's own UtilsTest.testMurmur2
		{[]byte("21"), 100, (-973932308 & 0x7fffffff) % 100},
		{[]byte("a-little-bit-long-string"), 100, (-985981536 & 0x7fffffff) % 100},
		{[]byte("a-little-bit-longer-string"), 100, (-1486304829 & 0x7fffffff) % 100},
		{[]byte("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), 100, (-58897971 & 0x7fffffff) % 100},
	} {
		if got := New()(tt.key, tt.n); got != tt.want {
			t.Errorf("Partition(%q, %d) = %d, want %d", tt.key, tt.n, got, tt.want)
		}
	}
}

func TestPartitionAllocatesNothing(t *testing.T) {
	key, partition := []byte("10.0.0.1"), New()
	if n := testing.AllocsPerRun(100, func() { partition(key, 8) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
