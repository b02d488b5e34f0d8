package worker

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// rawBatch is the head of a record batch with so many records of room, and so
// many in it.
func rawBatch(first, lastDelta, count int) []byte {
	b := make([]byte, 61)
	binary.BigEndian.PutUint64(b, uint64(first))
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	binary.BigEndian.PutUint32(b[23:], uint32(lastDelta))
	binary.BigEndian.PutUint32(b[57:], uint32(count))
	return b
}

// Compaction leaves batches without records; positions step over them.
func TestBehindEmptyBatches(t *testing.T) {
	for _, tt := range []struct {
		name    string
		batches [][]byte
		want    int64
	}{
		{"nothing", nil, 10},
		{"one empty batch", [][]byte{rawBatch(10, 4, 0)}, 15},
		{"two", [][]byte{rawBatch(10, 4, 0), rawBatch(20, 0, 0)}, 21},
		{"up to one with records", [][]byte{rawBatch(10, 4, 0), rawBatch(15, 2, 1)}, 15},
		{"a torn one", [][]byte{rawBatch(10, 4, 0), rawBatch(15, 2, 0)[:30]}, 15},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var p kmsg.FetchResponseTopicPartition
			for _, b := range tt.batches {
				p.RecordBatches = append(p.RecordBatches, b...)
			}
			resp := &kmsg.FetchResponse{Topics: []kmsg.FetchResponseTopic{{Partitions: []kmsg.FetchResponseTopicPartition{p}}}}
			if got, err := behindEmpty(resp, 10); got != tt.want || err != nil {
				t.Errorf("got %d, %v; want %d", got, err, tt.want)
			}
		})
	}
}

// An open transaction in the changelog is waited for, with a warning.
func TestRestoreWaitsForAnOpenTransaction(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a warning that comes after some seconds")
	}
	c := newCluster(t, 1, "in", "out")
	c.load(rows(1, 20, 2)...)
	p := start(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t)))
	c.output("out", 20)
	p.end()

	other := c.client(kgo.TransactionalID("somebody"), kgo.TransactionTimeout(8*time.Second), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := other.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := other.ProduceSync(context.Background(), &kgo.Record{Topic: "app-counts-changelog", Key: []byte("?"), Value: []byte("?")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	w := newWitness(t)
	p = start(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), w))
	w.wait(t, "the restore", func() bool { return w.restored[task.ID{}].Records > 0 })
	if len(w.warnings) == 0 {
		t.Error("nobody was told what the restore waits for")
	}
	c.load(rows(1, 20, 2)...)
	c.checkCounts(append(rows(1, 20, 2), rows(1, 20, 2)...))
	p.end()
}
