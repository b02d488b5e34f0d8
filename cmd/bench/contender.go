package main

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// The windows of the contract's workloads.
const windowSize = 10 * time.Second

// key is the 16 bytes of a record's key. As an array it is decoded without an
// allocation; a user whose keys have a fixed size would do the same.
type key [16]byte

type keyCodec struct{}

func (keyCodec) Append(dst []byte, k key) ([]byte, error) { return append(dst, k[:]...), nil }

func (keyCodec) Decode(src []byte) (key, error) {
	if len(src) != len(key{}) {
		return key{}, fmt.Errorf("a key of %d bytes, not %d", len(src), len(key{}))
	}
	return key(src), nil
}

// amount is the first field of a value, all that the counts need of it.
type amountCodec struct{}

func (amountCodec) Append(dst []byte, v int64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(dst, uint64(v)), nil
}

func (amountCodec) Decode(src []byte) (int64, error) {
	if len(src) < 8 {
		return 0, fmt.Errorf("a value of %d bytes has no amount", len(src))
	}
	return int64(binary.BigEndian.Uint64(src)), nil
}

// contender builds the topology of a workload of the contract, as a user would
// write it.
func contender(workload, in, out string, grace time.Duration) (*stream.Topology, error) {
	b := stream.New(workload)
	switch workload {
	case "map":
		buildMap(b, in, out)
	case "tumble":
		buildTumble(b, in, out, windowing.Tumbling(windowSize).Grace(grace))
	case "tumblefinal":
		buildTumble(b, in, out, windowing.Tumbling(windowSize).Grace(grace).Emit(windowing.OnClose))
	case "hop":
		buildTumble(b, in, out, windowing.Hopping(windowSize, time.Second).Grace(grace))
	case "hopfinal":
		buildTumble(b, in, out, windowing.Hopping(windowSize, time.Second).Grace(grace).Emit(windowing.OnClose))
	case "dedupkeys":
		buildCount(b, in, out)
	default:
		return nil, fmt.Errorf("there is no workload %q", workload)
	}
	return b.Build()
}

func input(name string) stream.Topic[key, int64] {
	return stream.Topic[key, int64]{Name: name, Key: serde.Of[key](keyCodec{}), Value: serde.Of[int64](amountCodec{})}
}

func buildTumble(b *stream.Builder, in, out string, w windowing.Windows) {
	records := stream.From(b, input(in))
	counts := stream.CountWindows("counts", stream.Window(stream.GroupByKey(records), w))
	stream.To(counts.Results, stream.Topic[windowing.Key[key], int64]{
		Name: out, Key: windowing.KeySerde(serde.Of[key](keyCodec{}), windowSize), Value: serde.Int64,
	})
}

func buildCount(b *stream.Builder, in, out string) {
	counts := stream.Count("counts", stream.GroupByKey(stream.From(b, input(in))))
	stream.To(counts.Changes(), stream.Topic[key, int64]{Name: out, Key: serde.Of[key](keyCodec{}), Value: serde.Int64})
}

func buildMap(b *stream.Builder, in, out string) {
	topic := stream.Topic[key, []byte]{Name: in, Key: serde.Of[key](keyCodec{}), Value: serde.Bytes}
	kept := stream.From(b, topic).Filter(func(_ key, v []byte) bool { return binary.BigEndian.Uint64(v)%10 != 0 })
	mapped := stream.MapValues(kept, func(v []byte) []byte { // the decoded value is a copy of our own
		binary.BigEndian.PutUint64(v, uint64(int64(binary.BigEndian.Uint64(v))*908/1000))
		return v
	})
	topic.Name = out
	stream.To(mapped, topic)
}
