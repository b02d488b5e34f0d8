package stream_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

func wordCount(b *stream.Builder) {
	words := stream.FlatMapValues(stream.From(b, texts), strings.FieldsSeq)
	byWord := stream.GroupBy("by-word", words, func(_, word string) string { return strings.ToLower(word) }, serde.String, serde.String)
	stream.To(stream.Count("totals", byWord).Changes(), results)
}

func TestGroupByBringsKeysTogether(t *testing.T) {
	d := processortest.New(t, wordCount, processortest.Partitions(4))
	in := processortest.Input(d, texts)
	in.Put(at(0), "s1", "to be or not to be")
	in.Put(at(1), "s2", "To do is to be")
	d.Commit()
	got := map[string]int64{}
	for _, r := range processortest.Output(d, results).Drain() {
		got[r.Key] = r.Value
	}
	want := map[string]int64{"to": 4, "be": 3, "or": 1, "not": 1, "do": 1, "is": 1}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestARepartitionMayBeCalledLikeATopic: its own topic has a longer name.
func TestARepartitionMayBeCalledLikeATopic(t *testing.T) {
	d := processortest.New(t, func(b *stream.Builder) {
		parity := func(_ string, v int64) string { return fmt.Sprint(v % 2) }
		byParity := stream.GroupBy(numbers.Name, stream.From(b, numbers), parity, serde.String, serde.Int64)
		stream.To(stream.Count("totals", byParity).Changes(), results)
	})
	for i := range 5 {
		processortest.Input(d, numbers).Put(at(i), "k", int64(i))
	}
	d.Commit()
	got := map[string]int64{}
	for _, r := range processortest.Output(d, results).Drain() {
		got[r.Key] = r.Value
	}
	if fmt.Sprint(got) != "map[0:3 1:2]" {
		t.Errorf("got %v", got)
	}
}

func TestGroupByIsDescribed(t *testing.T) {
	d := processortest.New(t, wordCount)
	expect(t, d.Describe(), `Topology: TestGroupByIsDescribed
  Sub-topology: 0
    Source: source:texts (topic: texts)
      --> flat-map-values-1
    Operator: flat-map-values-1
      --> by-word-key
    Operator: by-word-key
      --> to:by-word
    Sink: to:by-word (topic: by-word)
  Sub-topology: 1
    Source: from:by-word (topic: by-word)
      --> totals
    Operator: totals (store: totals, key-value)
      --> sink:results
    Sink: sink:results (topic: results)
`)
}

// twoStages counts per user and minute behind a repartition, with windows on
// both sides of it.
func twoStages(b *stream.Builder) {
	in := stream.From(b, numbers, stream.Watermark(windowing.Bounded(10*time.Second)))
	minute := windowing.Tumbling(time.Minute).Emit(windowing.OnClose)
	first := stream.CountWindows("first", stream.Window(stream.GroupByKey(in), minute))
	stream.To(first.Late, late)
	byGroup := stream.GroupBy("by-group", first.Results, func(k windowing.Key[string], _ int64) string { return k.Key[:1] }, serde.String, serde.Int64)
	five := windowing.Tumbling(5 * time.Minute).Emit(windowing.OnClose)
	second := stream.ReduceWindows("second", stream.Window(byGroup, five), func(a, v int64) int64 { return a + v }, serde.Int64)
	stream.To(second.Results, fives)
	stream.To(second.Late, lateSecond)
}

var (
	fives = stream.Topic[windowing.Key[string], int64]{Name: "fives", Key: windowing.KeySerde(serde.String, 5*time.Minute), Value: serde.Int64}

	lateSecond = stream.Topic[string, int64]{Name: "late-second", Key: serde.String, Value: serde.Int64}
)

func twoStagesInput(d *processortest.Driver) {
	in := processortest.Input(d, numbers)
	for i := range 1500 {
		disorder := (i * 7919) % 8
		if i%97 == 0 {
			disorder = 90 // late
		}
		in.Put(at(i-disorder), fmt.Sprintf("%c%d", 'a'+i%3, i%11), int64(i))
	}
	d.AdvanceTo(at(5000))
}

// TestWatermarksCrossRepartitionTopics: every record is in a result of the
// second windows or was late at the first; nothing is late at the second.
func TestWatermarksCrossRepartitionTopics(t *testing.T) {
	d := processortest.New(t, twoStages, processortest.Partitions(3))
	twoStagesInput(d)
	d.Commit()
	var sum, ends int64
	seen := map[string]bool{}
	for _, r := range processortest.Output(d, fives).Drain() {
		sum += r.Value
		ends++
		id := fmt.Sprint(r.Key.Key, r.Key.Window.Start)
		if seen[id] {
			t.Errorf("window %s came twice", id)
		}
		seen[id] = true
	}
	lates := int64(len(processortest.Output(d, late).Drain()))
	if sum+lates != 1500 || lates == 0 || ends != 18 {
		t.Errorf("%d records in %d results, %d late, of 1500", sum, ends, lates)
	}
	processortest.Output(d, lateSecond).Empty()
}

func TestTwoStagesCountEveryRecordOnce(t *testing.T) {
	processortest.CheckExactlyOnce(t, twoStages, twoStagesInput, processortest.Partitions(3))
}

// TestLatenessIsDecidedBeforeTheTopic: behind a repartition the same records
// are late as in front of it, however the partitions were interleaved.
func TestLatenessIsDecidedBeforeTheTopic(t *testing.T) {
	var want []string
	for _, repartition := range []bool{false, true} {
		d := processortest.New(t, func(b *stream.Builder) {
			in := stream.From(b, numbers, stream.Watermark(windowing.Bounded(10*time.Second)))
			g := stream.GroupByKey(in)
			if repartition {
				g = stream.GroupBy("again", in, func(k string, _ int64) string { return k }, serde.String, serde.Int64)
			}
			w := windowing.Tumbling(time.Minute).Emit(windowing.OnClose)
			counted := stream.CountWindows("w", stream.Window(g, w))
			stream.To(counted.Late, late)
			stream.To(counted.Results, windows)
		}, processortest.Partitions(3))
		twoStagesInput(d)
		d.Commit()
		got := strings.Fields(brief(processortest.Output(d, late).Drain()))
		slices.Sort(got)
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("repartition %v: late are %v, want %v", repartition, got, want)
		}
	}
}

func TestASlowPartitionHoldsTheWindowsBehindARepartition(t *testing.T) {
	d := processortest.New(t, twoStages, processortest.Partitions(2))
	in, out := processortest.Input(d, numbers), processortest.Output(d, fives)
	put := func(partition int32, sec int) {
		in.PutTo(partition, at(sec), []byte("k"), []byte{0, 0, 0, 0, 0, 0, 0, 1})
	}
	put(0, 0)
	put(0, 4000)
	d.Commit()
	out.Empty() // nothing was heard of partition 1
	put(1, 10)
	put(1, 400)
	d.Commit()
	if got := out.Drain(); len(got) != 1 || got[0].Value != 2 {
		t.Errorf("got %+v", got)
	}
}
