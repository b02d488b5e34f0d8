package processortest

import (
	"bytes"
	"slices"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// An InputTopic puts records into a source topic.
type InputTopic[K, V any] struct {
	d     *Driver
	topic stream.Topic[K, V]
	key   serde.Codec[K]
	value serde.Codec[V]
	turn  int
}

// Input returns the source topic of this name; the topology must read it. Where
// the topic has no serde for its keys, the topology's is taken.
func Input[K, V any](d *Driver, topic stream.Topic[K, V]) *InputTopic[K, V] {
	d.t.Helper()
	if _, ok := d.log[topic.Name]; !ok {
		d.t.Fatalf("the topology does not read topic %q", topic.Name)
	}
	in := &InputTopic[K, V]{d: d, topic: topic}
	in.key, in.value = bind(d, topic)
	return in
}

// Put sends a record to the partition of its key and has it processed.
func (in *InputTopic[K, V]) Put(at time.Time, key K, value V) {
	in.d.t.Helper()
	k, err := in.key.Append([]byte{}, key)
	if err != nil {
		in.d.t.Fatal(err)
	}
	v, err := in.value.Append([]byte{}, value)
	if err != nil {
		in.d.t.Fatal(err)
	}
	in.PutRaw(at, k, v)
}

// PutRaw sends a record as bytes, which may be anything; nil is null. Records
// without a key take turns over the partitions.
func (in *InputTopic[K, V]) PutRaw(at time.Time, key, value []byte, headers ...stream.Header) {
	in.d.t.Helper()
	p := in.d.partitionOf(key, in.turn)
	in.turn++
	in.PutTo(p, at, key, value, headers...)
}

// PutTo is PutRaw to a given partition.
func (in *InputTopic[K, V]) PutTo(partition int32, at time.Time, key, value []byte, headers ...stream.Header) {
	in.d.t.Helper()
	in.d.put(in.topic.Name, partition, graph.Message{
		Key: bytes.Clone(key), Value: bytes.Clone(value), Headers: headers, Timestamp: at.UnixMilli(),
	})
}

// outputLog holds the committed records of one sink topic in the order they
// were committed.
type outputLog struct{ outs []sent }

// deliver puts a committed record where it goes: a sink topic, or the log of a
// repartition topic.
func (d *Driver) deliver(o graph.Out, by task.ID) {
	o.Key, o.Value = bytes.Clone(o.Key), bytes.Clone(o.Value)
	o.Headers = slices.Clone(o.Headers)
	for i, h := range o.Headers {
		o.Headers[i].Value = bytes.Clone(h.Value)
	}
	if log, internal := d.log[o.Topic]; internal && d.written[o.Topic] == nil {
		p := &log[o.Partition]
		*p = append(*p, graph.Message{Key: o.Key, Value: o.Value, Headers: o.Headers, Timestamp: o.Timestamp, Offset: int64(len(*p))})
		return
	}
	l := d.written[o.Topic]
	l.outs = append(l.outs, sent{o, by})
}

// An OutputTopic reads the committed records of a sink topic.
type OutputTopic[K, V any] struct {
	d     *Driver
	topic stream.Topic[K, V]
	key   serde.Codec[K]
	value serde.Codec[V]
	read  int
}

// A Record is one committed output record.
type Record[K, V any] struct {
	Key       K
	Value     V
	Time      time.Time
	Partition int32
	Headers   []stream.Header
	NullKey   bool
	// Tombstone says that the value is null: what was sent for the key before
	// is gone.
	Tombstone bool
}

// Output returns the sink topic of this name; the topology must write it. Where
// the topic has no serde for its keys, the topology's is taken, so that windowed
// results are read with the windows they have; a serde for other windows fails
// the test.
func Output[K, V any](d *Driver, topic stream.Topic[K, V]) *OutputTopic[K, V] {
	d.t.Helper()
	if _, ok := d.written[topic.Name]; !ok {
		d.t.Fatalf("the topology does not write topic %q", topic.Name)
	}
	out := &OutputTopic[K, V]{d: d, topic: topic}
	out.key, out.value = bind(d, topic)
	return out
}

// Drain returns the records committed since the last call, in order.
func (o *OutputTopic[K, V]) Drain() []Record[K, V] {
	o.d.t.Helper()
	all := o.d.written[o.topic.Name].outs
	var got []Record[K, V]
	for _, out := range all[o.read:] {
		got = append(got, o.decode(out.Out))
	}
	o.read = len(all)
	return got
}

// Empty fails the test if anything was committed since the last Drain.
func (o *OutputTopic[K, V]) Empty() {
	o.d.t.Helper()
	if got := o.Drain(); len(got) > 0 {
		o.d.t.Fatalf("topic %q: %d unexpected records: %+v", o.topic.Name, len(got), got)
	}
}

func (o *OutputTopic[K, V]) decode(out graph.Out) (r Record[K, V]) {
	o.d.t.Helper()
	r = Record[K, V]{Time: time.UnixMilli(out.Timestamp).UTC(), Partition: out.Partition, Headers: out.Headers, NullKey: out.Key == nil, Tombstone: out.Value == nil}
	var err error
	if out.Key != nil {
		if r.Key, err = o.key.Decode(out.Key); err != nil {
			o.d.t.Fatalf("topic %q: key: %v", o.topic.Name, err)
		}
	}
	if r.Tombstone {
		return r
	}
	if r.Value, err = o.value.Decode(out.Value); err != nil {
		o.d.t.Fatalf("topic %q: value: %v", o.topic.Name, err)
	}
	return r
}

// keysOf is the serde of the keys of a topic: its own, or where it has none the
// one that the topology reads or writes it with.
func keysOf[K, V any](d *Driver, topic stream.Topic[K, V]) serde.Serde[K] {
	d.t.Helper()
	all := d.topology.Keys(topic.Name)
	if topic.Key != nil {
		if err := windowing.Misfit(topic.Key, all...); err != nil {
			d.t.Fatalf("topic %q, as the test has it: %v", topic.Name, err)
		}
		return topic.Key
	}
	for _, keys := range all {
		if own, ok := keys.(serde.Serde[K]); ok {
			return own
		}
	}
	d.t.Fatalf("topic %q has no serde for its keys, and the topology none of this type: give the Topic one", topic.Name)
	return nil
}

func bind[K, V any](d *Driver, topic stream.Topic[K, V]) (serde.Codec[K], serde.Codec[V]) {
	d.t.Helper()
	keys := keysOf(d, topic)
	if topic.Value == nil {
		d.t.Fatalf("topic %q has no serde for its values: give the Topic one", topic.Name)
	}
	key, err := keys.Bind(serde.Use{Role: serde.Key, Name: topic.Name})
	if err != nil {
		d.t.Fatal(err)
	}
	value, err := topic.Value.Bind(serde.Use{Role: serde.Value, Name: topic.Name})
	if err != nil {
		d.t.Fatal(err)
	}
	return key, value
}
