package main

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// The windows of the contract's workloads.
const (
	windowSize = 10 * time.Second
	hopAdvance = time.Second
	sessionGap = time.Second
)

// key is the 16 bytes of a record's key. As an array it is decoded without an
// allocation; a user whose keys have a fixed size would do the same.
type key [16]byte

type keyCodec struct{}

func (keyCodec) Format() string { return "16 bytes" }

func (keyCodec) Append(dst []byte, k key) ([]byte, error) { return append(dst, k[:]...), nil }

func (keyCodec) Decode(src []byte) (key, error) {
	if len(src) != len(key{}) {
		return key{}, fmt.Errorf("a key of %d bytes, not %d", len(src), len(key{}))
	}
	return key(src), nil
}

// amount is the first field of a value, all that the counts need of it.
type amountCodec struct{}

func (amountCodec) Format() string { return "amount" }

func (amountCodec) Append(dst []byte, v int64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(dst, uint64(v)), nil
}

func (amountCodec) Decode(src []byte) (int64, error) {
	if len(src) < 8 {
		return 0, fmt.Errorf("a value of %d bytes has no amount", len(src))
	}
	return int64(binary.BigEndian.Uint64(src)), nil
}

// contenders are the workloads of the contract that Millrace runs, each with the function
// that builds its topology between two topics, as a user would write it.
func contenders() []contender {
	return []contender{
		{"map", buildMap},
		{"tumble", buildWindows(windowing.Tumbling(windowSize))},
		{"tumblefinal", buildWindows(windowing.Tumbling(windowSize).Emit(windowing.OnClose))},
		{"hop", buildWindows(windowing.Hopping(windowSize, hopAdvance))},
		{"hopfinal", buildWindows(windowing.Hopping(windowSize, hopAdvance).Emit(windowing.OnClose))},
		{"session", buildSessions(windowing.Session(sessionGap))},
		{"sessionfinal", buildSessions(windowing.Session(sessionGap).Emit(windowing.OnClose))},
		{"dedupkeys", buildCount},
	}
}

type contender struct {
	workload string
	build    func(b *stream.Builder, in, out string, grace time.Duration)
}

func workloads() (names []string) {
	for _, c := range contenders() {
		names = append(names, c.workload)
	}
	return names
}

// topologyOf builds the topology of a workload.
func topologyOf(workload, in, out string, grace time.Duration) (*stream.Topology, error) {
	for _, c := range contenders() {
		if c.workload == workload {
			b := stream.New(workload)
			c.build(b, in, out, grace)
			return b.Build()
		}
	}
	return nil, fmt.Errorf("run: there is no workload %q, want one of %s", workload, strings.Join(workloads(), ", "))
}

// input reads of each value what the counts need.
func input(name string) stream.Topic[key, int64] {
	return stream.Topic[key, int64]{Name: name, Key: serde.Of[key](keyCodec{}), Value: serde.Of[int64](amountCodec{})}
}

func buildMap(b *stream.Builder, in, out string, _ time.Duration) {
	topic := stream.Topic[key, []byte]{Name: in, Key: serde.Of[key](keyCodec{}), Value: serde.Bytes}
	kept := stream.From(b, topic).Filter(func(_ key, v []byte) bool { return binary.BigEndian.Uint64(v)%10 != 0 })
	mapped := stream.MapValues(kept, func(v []byte) []byte { // the decoded value is a copy of our own
		binary.BigEndian.PutUint64(v, uint64(int64(binary.BigEndian.Uint64(v))*908/1000))
		return v
	})
	topic.Name = out
	stream.To(mapped, topic)
}

func buildWindows(w windowing.Windows) func(*stream.Builder, string, string, time.Duration) {
	return func(b *stream.Builder, in, out string, grace time.Duration) {
		records := stream.GroupByKey(stream.From(b, input(in)))
		counts := stream.CountWindows("counts", stream.Window(records, w.Grace(grace)))
		stream.To(counts.Results, stream.Topic[windowing.Key[key], int64]{
			Name: out, Key: windowing.KeySerde(serde.Of[key](keyCodec{}), windowSize), Value: serde.Int64,
		})
	}
}

func buildSessions(w windowing.SessionWindows) func(*stream.Builder, string, string, time.Duration) {
	return func(b *stream.Builder, in, out string, grace time.Duration) {
		records := stream.GroupByKey(stream.From(b, input(in)))
		counts := stream.CountWindows("counts", stream.Window(records, w.Grace(grace)))
		stream.To(counts.Results, stream.Topic[windowing.Key[key], int64]{
			Name: out, Key: windowing.SessionKeySerde(serde.Of[key](keyCodec{})), Value: serde.Int64,
		})
	}
}

func buildCount(b *stream.Builder, in, out string, _ time.Duration) {
	counts := stream.Count("counts", stream.GroupByKey(stream.From(b, input(in))))
	stream.To(counts.Changes(), stream.Topic[key, int64]{Name: out, Key: serde.Of[key](keyCodec{}), Value: serde.Int64})
}
