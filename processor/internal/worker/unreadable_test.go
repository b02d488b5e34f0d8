package worker

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/state"
)

// warned says that one warning has all these parts. It is called with the lock
// held.
func (w *witness) warned(parts ...string) bool {
	for _, warning := range w.warnings {
		missing := 0
		for _, part := range parts {
			if !strings.Contains(warning.Error(), part) {
				missing++
			}
		}
		if missing == 0 {
			return true
		}
	}
	return false
}

// A partition that cannot be read is told once in a while, however often the
// client tries, and each partition for itself.
func TestTroubleIsToldOnceInAWhile(t *testing.T) {
	now, w := time.Duration(0), newWitness(t)
	worker := Worker{cfg: Config{Elapsed: func() time.Duration { return now }, Events: w.events()}}
	fails := func(partition int32, want int) {
		t.Helper()
		if err := worker.outrun(context.Background(), &broker.TroubledError{TopicPartition: broker.TopicPartition{Topic: "in", Partition: partition}, Err: kerr.UnknownServerError}); err != nil {
			t.Error(err)
		}
		if len(w.warnings) != want {
			t.Errorf("%d warnings, want %d", len(w.warnings), want)
		}
	}
	fails(0, 1)
	now += readSilence - 1
	fails(0, 1)
	fails(1, 2)
	now++
	fails(0, 3)
	fails(1, 3)
}

// A broker that cannot read its log is told of by name, and when it can the
// worker goes on.
func TestBrokerThatCannotRead(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "in", "out")
	h := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "in", Err: kerr.UnknownServerError, Count: -1})
	w := newWitness(t)
	p := start(t, c.config(passing(t), state.NewMemory(), w))
	c.load(rows(1, 10, 2)...)
	w.wait(t, "a warning", func() bool { return w.warned(`topic "in" partition 0`, "UNKNOWN_SERVER_ERROR") })
	h.Remove()
	c.output("out", 10)
	p.end()
}

// halfABatch decompresses nothing.
type halfABatch struct{}

func (halfABatch) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	if codec == kgo.CodecNone {
		return src, nil
	}
	return nil, io.ErrUnexpectedEOF
}

// A batch that cannot be decoded stops the worker, which says where it is.
func TestDamagedBatch(t *testing.T) {
	c := newCluster(t, 1, "in", "out")
	c.load(rows(1, 3, 2)...)
	cl := c.client(kgo.ProducerBatchCompression(kgo.GzipCompression()))
	if err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: "in", Value: make([]byte, 1000)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	cfg := c.config(passing(t), state.NewMemory(), newWitness(t))
	cfg.Client = append(cfg.Client[:len(cfg.Client):len(cfg.Client)], kgo.WithDecompressor(halfABatch{}))
	mustFail(t, cfg, "task 0_0, behind offset 3", `topic "in" partition 0`, "cannot be decoded", "kafka-dump-log.sh")
}
