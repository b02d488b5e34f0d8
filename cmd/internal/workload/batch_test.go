package workload

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestBatch(t *testing.T) {
	var b batch
	ts := []int64{1000, 990, 2_000_000, 1000}
	for i, ts := range ts {
		b.add(ts, fmt.Appendf(nil, "key %d", i), bytes.Repeat([]byte{byte(i)}, i*50))
	}
	raw := b.seal()
	var rb kmsg.RecordBatch
	if err := rb.ReadFrom(raw); err != nil {
		t.Fatal(err)
	}
	if int(rb.Length) != len(raw)-12 || rb.NumRecords != 4 || rb.LastOffsetDelta != 3 || rb.FirstTimestamp != 1000 || rb.MaxTimestamp != 2_000_000 {
		t.Errorf("batch %+v", rb)
	}
	if uint32(rb.CRC) != crc32.Checksum(raw[21:], castagnoli) {
		t.Error("checksum")
	}
	rest := rb.Records
	for i := range ts {
		size, n := binary.Varint(rest)
		var r kmsg.Record
		if err := r.ReadFrom(rest[:n+int(size)]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n+int(size):]
		if string(r.Key) != fmt.Sprintf("key %d", i) || len(r.Value) != i*50 ||
			rb.FirstTimestamp+r.TimestampDelta64 != ts[i] || int(r.OffsetDelta) != i {
			t.Errorf("record %d: %+v", i, r)
		}
	}
	if len(rest) != 0 {
		t.Errorf("%d bytes left", len(rest))
	}
}
