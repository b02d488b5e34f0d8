package processor_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// What becomes of kept state when the next version of an application is deployed
// (windowing/SEMANTICS.md, "Another version over kept state"). Each cell of the
// matrix is right, which is to give what an application gives that has read all of
// it with the new version, or refused with words, and then the old version goes on
// as if nothing had been. It must not matter which disk a task finds.

// alone is what a version gives that has read everything itself.
func alone(t *testing.T, b deployed, records int) map[string]string {
	t.Helper()
	return newRig(t, false).alone(b, records)
}

func (r *rig) alone(b deployed, records int) map[string]string {
	r.t.Helper()
	r.put(records)
	r.end()
	if err := r.deploy(b); err != nil {
		r.t.Fatal(err)
	}
	return r.last("out")
}

const (
	firstRecords = 40
	nextRecords  = 23
)

var (
	deployIn  = stream.Topic[string, string]{Name: "in", Key: serde.String, Value: serde.String}
	deployOut = stream.Topic[string, int64]{Name: "out", Key: serde.String, Value: serde.Int64}
)

func grouped(b *stream.Builder) stream.Grouped[string, string] {
	return stream.GroupByKey(stream.From(b, deployIn))
}

// windows counts in windows under the name "n".
func windows(w windowing.Definition, opts ...stream.Option) deployed {
	return func(b *stream.Builder) {
		counted := stream.CountWindows("n", stream.Window(grouped(b), w), opts...)
		stream.To(counted.Results, stream.Topic[windowing.Key[string], int64]{Name: "out", Key: windowing.ResultKeySerde(serde.String, w), Value: serde.Int64})
	}
}

func counted(store string, opts ...stream.Option) deployed {
	return func(b *stream.Builder) { stream.To(stream.Count(store, grouped(b), opts...).Changes(), deployOut) }
}

// reduced keeps the last value, written by a serde of one's own.
func reduced[V any](value serde.Serde[V]) deployed {
	return func(b *stream.Builder) {
		in := stream.From(b, stream.Topic[string, V]{Name: "in", Key: serde.String, Value: value})
		last := stream.Reduce("n", stream.GroupByKey(in), func(_, v V) V { return v }, value)
		stream.To(last.Changes(), stream.Topic[string, V]{Name: "out", Key: serde.String, Value: value})
	}
}

func both(builds ...deployed) deployed {
	return func(b *stream.Builder) {
		in := grouped(b)
		for i := range builds {
			topic := deployOut
			if i > 0 {
				topic.Name = "side"
			}
			stream.To(stream.Count([]string{"n", "a-second"}[i], in).Changes(), topic)
		}
	}
}

func regrouped(store string) deployed {
	return func(b *stream.Builder) {
		by := stream.GroupBy("by", stream.From(b, deployIn), func(k, _ string) string { return "of " + k }, serde.String, serde.String)
		stream.To(stream.Count(store, by).Changes(), deployOut)
	}
}

// windowBytes are what is behind the key of each record of the matrix: the bounds of a window, or its start and eight bytes more
// of the key.
const windowBytes = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// The same key as JSON, written in different ways.
type (
	keyAB      struct{ A, B string }
	keyBA      struct{ B, A string }
	keyABC     struct{ A, B, C string }
	keyOmitted struct {
		A string
		B string `json:",omitempty"`
	}
)

// keyedByJSON counts in a table by a key that is JSON.
func keyedByJSON[K any]() deployed {
	return func(b *stream.Builder) {
		in := stream.From(b, stream.Topic[K, string]{Name: "in", Key: serde.JSON[K](), Value: serde.String})
		stream.To(stream.Count("n", stream.GroupByKey(in)).Changes(), stream.Topic[K, int64]{Name: "out", Key: serde.JSON[K](), Value: serde.Int64})
	}
}

// A key that would be written in another way is another key, and what was counted
// for it would begin anew.
func TestKeysWrittenInAnotherWay(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]deployed{
		"another order": keyedByJSON[keyBA](), "a field more": keyedByJSON[keyABC](), "a field left out where it is empty": keyedByJSON[keyOmitted](),
	} {
		for _, lose := range disks() {
			t.Run(fmt.Sprintf("%s/disk lost %v", name, lose), func(t *testing.T) {
				r := newRig(t, lose)
				const key = `{"A":"x","B":""}`
				r.sendAt(0, key, "v", 1000, 2000)
				if err := r.deploy(keyedByJSON[keyAB]()); err != nil {
					t.Fatal(err)
				}
				r.sendAt(0, key, "v", 3000)
				mustRefuse(t, r.deploy(other), "keys", "json key", "millrace reset")
				if err := r.deploy(keyedByJSON[keyAB]()); err != nil {
					t.Fatal(err)
				}
				mustEqual(t, r.last("out"), map[string]string{fmt.Sprintf("%q", key): "3"})
			})
		}
	}
}

// byStart is the serde of keys of windows that are all of one size.
func byStart(key serde.Serde[string], size time.Duration) serde.Serde[windowing.Key[string]] {
	return windowing.KeySerde(key, size)
}

// keyedByWindow counts in a table whose keys are those of windowed results.
func keyedByWindow(keys serde.Serde[windowing.Key[string]]) deployed {
	return func(b *stream.Builder) {
		in := stream.From(b, stream.Topic[windowing.Key[string], string]{Name: "in", Key: keys, Value: serde.String})
		stream.To(stream.Count("n", stream.GroupByKey(in)).Changes(), stream.Topic[windowing.Key[string], int64]{Name: "out", Key: keys, Value: serde.Int64})
	}
}

func passed(b *stream.Builder) {
	stream.To(stream.From(b, deployIn), stream.Topic[string, string]{Name: "side", Key: serde.String, Value: serde.String})
}

type visit1 struct{ N int }

type visit2 struct {
	N     int
	Place string
}

// sized has numbers of the sizes, and those of the second in a list.
type sized[N, In any] struct {
	N    N
	List []In
}

// plain is a serde that says nothing of its format; dated2 reads what dated1 wrote.
type (
	plain  struct{ serde.Codec[string] }
	dated1 struct{ serde.Codec[string] }
	dated2 struct{ serde.Codec[string] }
)

func text() serde.Codec[string] {
	c, err := serde.String.Bind(serde.Use{})
	if err != nil {
		panic(err)
	}
	return c
}

func (dated1) Format() string        { return "dated/1" }
func (dated2) Format() string        { return "dated/2" }
func (dated2) Reads(was string) bool { return was == "dated/1" }

const minute = time.Minute

var (
	tumbling = windowing.Tumbling(minute)
	hopping  = windowing.Hopping(minute, 30*time.Second)
	session  = windowing.Session(17 * time.Second)
	sliding  = windowing.Sliding(40 * time.Second)
)

// deploys are the rows of the matrix. refused is what a refusal has to say; where
// there is none the cells have to be right.
var deploys = []struct {
	name    string
	was, is deployed
	refused []string
}{
	{"nothing", windows(tumbling), windows(tumbling), nil},
	{"emission, on-commit to on-update", windows(tumbling), windows(tumbling.Emit(windowing.OnUpdate)), nil},
	{"emission, on-update to on-commit", windows(tumbling.Emit(windowing.OnUpdate)), windows(tumbling), nil},
	{"emission, on-commit to on-close", windows(tumbling), windows(tumbling.Emit(windowing.OnClose)), nil},
	{"emission, hopping, on-commit to on-close", windows(hopping), windows(hopping.Emit(windowing.OnClose)), nil},
	{"emission, hopping, on-close to on-commit", windows(hopping.Emit(windowing.OnClose)), windows(hopping), []string{"emission", "on-close", "on-commit"}},
	{"emission, on-close to on-update", windows(tumbling.Emit(windowing.OnClose)), windows(tumbling.Emit(windowing.OnUpdate)), []string{"emission", "on-close", "on-update"}},
	{"emission, on-close to on-time", windows(tumbling.Emit(windowing.OnClose)), windows(tumbling.Emit(windowing.OnTime)), []string{"emission", "on-time"}},
	{"emission, on-commit to on-time", windows(tumbling.Grace(minute)), windows(tumbling.Grace(minute).Emit(windowing.OnTime)), nil},
	{"emission, early results added", windows(tumbling.Emit(windowing.OnClose)), windows(tumbling.Emit(windowing.OnClose).Early(10 * time.Second)), nil},
	{"emission, sessions, on-commit to on-update", windows(session), windows(session.Emit(windowing.OnUpdate)), nil},
	{"emission, sessions, on-update to on-commit", windows(session.Emit(windowing.OnUpdate)), windows(session), nil},
	{"emission, sessions, on-commit to on-close", windows(session), windows(session.Emit(windowing.OnClose)), nil},
	{"emission, sessions, on-time to on-close", windows(session.Emit(windowing.OnTime)), windows(session.Emit(windowing.OnClose)), []string{"emission", "on-time"}},
	{"emission, sliding, on-commit to on-update", windows(sliding), windows(sliding.Emit(windowing.OnUpdate)), nil},
	{"emission, sliding, on-update to on-close", windows(sliding.Emit(windowing.OnUpdate)), windows(sliding.Emit(windowing.OnClose)), nil},
	{"emission, table", counted("n"), counted("n", stream.Emit(windowing.OnUpdate)), nil},
	{"longer grace", windows(tumbling), windows(tumbling.Grace(minute)), nil},
	{"longer grace, sessions", windows(session), windows(session.Grace(minute)), nil},
	{"longer grace, panes", windows(hopping.Emit(windowing.OnClose)), windows(hopping.Emit(windowing.OnClose).Grace(5 * time.Second)), nil},
	{"shorter grace", windows(tumbling.Grace(minute)), windows(tumbling), nil},
	{"size", windows(tumbling), windows(windowing.Tumbling(2 * minute)), []string{"windows", "1m0s", "2m0s"}},
	{"kind of windows", windows(tumbling), windows(session), []string{"window", "key-value"}},
	{"kind of windows, both key-value", windows(session), windows(sliding), []string{"windows", "sessions", "sliding"}},
	{"gap", windows(session), windows(windowing.Session(minute)), []string{"windows", "17s", "1m0s"}},
	{"difference", windows(sliding), windows(windowing.Sliding(minute)), []string{"windows", "40s", "1m0s"}},
	{"advance", windows(hopping), windows(windowing.Hopping(minute, 20*time.Second)), []string{"windows", "30s", "20s"}},
	{"offset", windows(tumbling), windows(tumbling.Offset(10 * time.Second)), []string{"windows", "offset 0s", "offset 10s"}},
	{"the same offset", windows(tumbling), windows(tumbling.Offset(minute)), nil},
	{"calendar", windows(windowing.Calendar(windowing.Day, time.UTC)), windows(windowing.Calendar(windowing.Week, time.UTC)), []string{"windows", "calendar"}},
	{"windows to a table", windows(tumbling), counted("n"), []string{"store", "window", "key-value"}},
	{"aggregate", counted("n"), func(b *stream.Builder) {
		sum := stream.Aggregate("n", grouped(b), stream.Aggregator[string, string, int64]{Add: func(_, _ string, n int64) int64 { return n + 1 }, State: serde.Int64})
		stream.To(sum.Changes(), deployOut)
	}, []string{"operator", "count", "aggregate"}},
	{"value codec", reduced(serde.String), reduced(serde.Bytes), []string{"values", "string", "bytes"}},
	{"value codec, JSON with a field more", reduced(serde.JSON[visit1]()), reduced(serde.JSON[visit2]()), nil},
	{"value codec, JSON with a field less", reduced(serde.JSON[visit2]()), reduced(serde.JSON[visit1]()), nil},
	{"value codec, JSON with wider numbers", reduced(serde.JSON[sized[int32, float32]]()), reduced(serde.JSON[sized[int64, float64]]()), nil},
	{"value codec, JSON with a narrower integer", reduced(serde.JSON[sized[int64, float64]]()), reduced(serde.JSON[sized[int8, float64]]()), []string{"values", "integer", "int8"}},
	{"value codec, JSON with a narrower float", reduced(serde.JSON[sized[int64, float64]]()), reduced(serde.JSON[sized[int64, float32]]()), []string{"values", "number", "float32"}},
	{"value codec, JSON without a sign", reduced(serde.JSON[sized[int64, float64]]()), reduced(serde.JSON[sized[uint64, float64]]()), []string{"values", "integer", "uint64"}},
	{"value codec, JSON with another type in the deep", reduced(serde.JSON[sized[int64, [][][][][]visit1]]()), reduced(serde.JSON[sized[int64, [][][][][]visit2]]()), []string{"values", "#"}},
	{"value codec, the Go type renamed", reduced[string](serde.Of[string](plain{text()})), reduced[string](serde.Of[string](dated1{text()})), []string{"values", "plain", "dated/1"}},
	{"value codec, another version", reduced[string](serde.Of[string](dated1{text()})), reduced[string](serde.Of[string](dated2{text()})), nil},
	{"value codec, a version back", reduced[string](serde.Of[string](dated2{text()})), reduced[string](serde.Of[string](dated1{text()})), []string{"values", "dated/2", "dated/1"}},
	{"version declared", counted("n"), counted("n", stream.StateVersion("2")), []string{"version", "not set", `"2"`}},
	{"key codec", counted("n"), func(b *stream.Builder) {
		in := stream.From(b, stream.Topic[[]byte, string]{Name: "in", Key: serde.Bytes, Value: serde.String})
		stream.To(stream.Count("n", stream.GroupByKey(in)).Changes(), stream.Topic[[]byte, int64]{Name: "out", Key: serde.Bytes, Value: serde.Int64})
	}, []string{"keys", "string", "bytes"}},
	{"windowed key of a table, the size", keyedByWindow(byStart(serde.String, minute)), keyedByWindow(byStart(serde.String, 5*minute)), []string{"keys", "1m0s", "5m0s", "string"}},
	{"windowed key of a table, both bounds", keyedByWindow(byStart(serde.String, minute)), keyedByWindow(windowing.SessionKeySerde(serde.String)), []string{"keys", "1m0s", "bounds"}},
	{"windowed key of a table, its key", keyedByWindow(byStart(serde.Of[string](plain{text()}), minute)), keyedByWindow(byStart(serde.String, minute)), []string{"keys", "plain", "string"}},
	{"windowed key of a table, its key in another version", keyedByWindow(byStart(serde.Of[string](dated1{text()}), minute)), keyedByWindow(byStart(serde.Of[string](dated2{text()}), minute)), nil},
	{"windowed key of a table, bounds, its key", keyedByWindow(windowing.SessionKeySerde(serde.Of[string](dated2{text()}))), keyedByWindow(windowing.SessionKeySerde(serde.Of[string](dated1{text()}))), []string{"keys", "dated/2", "dated/1"}},
	{"store added", counted("n"), both(nil, nil), nil},
	{"store taken away", both(nil, nil), counted("n"), nil},
}

func TestDeployOverKeptState(t *testing.T) {
	for _, c := range deploys {
		for _, lose := range disks() {
			t.Run(fmt.Sprintf("%s/disk lost %v", c.name, lose), func(t *testing.T) {
				t.Parallel()
				r, other := newRig(t, lose), newRig(t, false)
				r.behind, other.behind = windowBytes, windowBytes
				r.put(firstRecords)
				if err := r.deploy(c.was); err != nil {
					t.Fatal(err)
				}
				r.put(nextRecords)
				r.end()
				err := r.deploy(c.is)
				want := c.is
				if c.refused != nil {
					mustRefuse(t, err, append(c.refused, "millrace reset")...)
					err, want = r.deploy(c.was), c.was
				}
				if err != nil {
					t.Fatal(err)
				}
				mustEqual(t, r.last("out"), other.alone(want, firstRecords+nextRecords))
			})
		}
	}
}

func mustRefuse(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("not refused")
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the refusal does not say %q: %v", w, err)
		}
	}
}

func mustEqual(t *testing.T, got, want map[string]string) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			t.Errorf("%s is %q, want %q", key, got[key], want[key])
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			t.Errorf("%s is %q, want none", key, got[key])
		}
	}
}

// A store that a version lacks, and the next one has again, has what came meanwhile
// too, whichever disk its task finds; so has one whose records come through an
// internal topic that was not written meanwhile.
func TestStoreAwayForADeploy(t *testing.T) {
	for name, c := range map[string]struct{ with, without deployed }{
		"renamed and back":               {counted("n"), counted("m")},
		"no state meanwhile":             {counted("n"), passed},
		"another store stays":            {both(nil, nil), func(b *stream.Builder) { stream.To(stream.Count("a-second", grouped(b)).Changes(), deployOut) }},
		"windows":                        {windows(windowing.Tumbling(time.Minute)), counted("m")},
		"finals that were due meanwhile": {windows(windowing.Tumbling(time.Minute).Emit(windowing.OnClose)), passed},
		"panes":                          {windows(windowing.Hopping(time.Minute, 30*time.Second).Emit(windowing.OnClose)), passed},
		"sessions":                       {windows(windowing.Session(17 * time.Second)), passed},
		"behind a repartition topic":     {regrouped("n"), regrouped("m")},
		"with its repartition topic":     {regrouped("n"), passed},
	} {
		for _, lose := range disks() {
			for _, deploys := range []int{1, 2} {
				t.Run(fmt.Sprintf("%s/disk lost %v/%d deploys", name, lose, deploys), func(t *testing.T) {
					t.Parallel()
					r := newRig(t, lose)
					r.put(firstRecords)
					versions := append(slices.Repeat([]deployed{c.with, c.without}, 1), slices.Repeat([]deployed{c.without}, deploys-1)...)
					for _, v := range append(versions, c.with, c.with) {
						if err := r.deploy(v); err != nil {
							t.Fatal(err)
						}
						r.put(nextRecords)
					}
					r.end()
					if err := r.deploy(c.with); err != nil {
						t.Fatal(err)
					}
					want := alone(t, c.with, r.sent-1)
					got := r.last("out")
					maps.DeleteFunc(got, func(k, _ string) bool { _, ok := want[k]; return !ok }) // of the version without
					mustEqual(t, got, want)
				})
			}
		}
	}
}

// Another grace over kept state: what the first stage sends as final it sends once, and none of it is late behind it.
func TestGraceOverKeptState(t *testing.T) {
	for name, of := range map[string]func(grace time.Duration) windowing.Definition{
		"tumbling": func(g time.Duration) windowing.Definition {
			return windowing.Tumbling(10 * time.Second).Grace(g).Emit(windowing.OnClose)
		},
		"hopping": func(g time.Duration) windowing.Definition {
			return windowing.Hopping(20*time.Second, 10*time.Second).Grace(g).Emit(windowing.OnClose)
		},
		"sessions": func(g time.Duration) windowing.Definition {
			return windowing.Session(3 * time.Second).Grace(g).Emit(windowing.OnClose)
		},
		"sliding": func(g time.Duration) windowing.Definition {
			return windowing.Sliding(4 * time.Second).Grace(g).Emit(windowing.OnClose)
		},
	} {
		for _, graces := range [][2]time.Duration{{0, 2 * time.Minute}, {2 * time.Minute, 0}, {minute, minute}} {
			t.Run(fmt.Sprintf("%s/from %v to %v", name, graces[0], graces[1]), func(t *testing.T) {
				t.Parallel()
				version := func(grace time.Duration) deployed {
					return func(b *stream.Builder) {
						one := stream.CountWindows("one", stream.Window(grouped(b), of(grace))).Results
						stream.To(one, stream.Topic[windowing.Key[string], int64]{Name: "side", Value: serde.Int64})
						flat := stream.Map(one, func(k windowing.Key[string], _ int64) (string, int64) { return k.Key, 1 })
						by := stream.GroupBy("by", flat, func(k string, _ int64) string { return k }, serde.String, serde.Int64)
						two := stream.CountWindows("two", stream.Window(by, windowing.Tumbling(minute).Emit(windowing.OnClose)))
						stream.To(two.Results, stream.Topic[windowing.Key[string], int64]{Name: "out", Value: serde.Int64})
					}
				}
				r := newRig(t, false)
				r.put(firstRecords)
				if err := r.deploy(version(graces[0])); err != nil {
					t.Fatal(err)
				}
				at := r.at
				r.at = at.Add(-15 * time.Second) // where a result was sent already, by the shorter grace
				r.send("k0")
				r.at = at
				r.put(nextRecords)
				for range 2 { // the results of one stage wait for the next record behind it
					r.end()
					if err := r.deploy(version(graces[1])); err != nil {
						t.Fatal(err)
					}
				}
				sent, counted := r.rows("side"), int64(0)
				for key, n := range sent {
					if n != 1 {
						t.Errorf("%s was sent as final %d times", key, n)
					}
				}
				for _, text := range r.last("out") {
					n, _ := strconv.ParseInt(text, 10, 64)
					counted += n
				}
				ends := 0 // the window of the last record may be open
				for key := range sent {
					if strings.HasPrefix(key, `"end`) {
						ends++
					}
				}
				if want := int64(len(sent)); counted > want || counted < want-int64(ends) {
					t.Errorf("%d finals, and %d of them were counted behind", want, counted)
				}
			})
		}
	}
}

// A record that leaves a value in the state which its serde cannot encode is that record's fault: only a commit shows
// it, and the search for it ends with a dead letter.
func TestAValueThatCannotBeKept(t *testing.T) {
	t.Parallel()
	version := func(b *stream.Builder) {
		b.DeadLetter("side")
		sum := stream.Aggregate("n", grouped(b), stream.Aggregator[string, string, float64]{
			Add: func(_ string, v string, acc float64) float64 {
				if strings.HasPrefix(v, "bad") {
					return math.NaN()
				}
				return acc + 1
			},
			State: serde.JSON[float64](),
		})
		stream.To(sum.Changes(), stream.Topic[string, float64]{Name: "out", Key: serde.String, Value: serde.Float64})
	}
	r := newRig(t, false)
	r.put(firstRecords)
	for i := range 3 {
		rec := &kgo.Record{Key: fmt.Appendf(nil, "k%d", i), Value: []byte("bad"), Timestamp: r.at}
		if err := r.client.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	r.put(nextRecords)
	if err := r.deploy(version); err != nil {
		t.Fatal(err)
	}
	if letters := r.rows("side"); letters[`"k0"`] != 1 || letters[`"k1"`] != 1 || letters[`"k2"`] != 1 {
		t.Errorf("dead letters %v, want one of each key", letters)
	}
	total := 0.0
	last := map[string]float64{}
	r.each("out", 0, func(rec *kgo.Record) {
		last[string(rec.Key)] = math.Float64frombits(binary.BigEndian.Uint64(rec.Value))
	})
	for _, v := range last {
		total += v
	}
	if total != firstRecords+nextRecords {
		t.Errorf("%v records were counted, want %d", total, firstRecords+nextRecords)
	}
}
