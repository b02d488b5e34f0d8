package task_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// refusing sends its records to "out", and those that are bad, or that "out" does
// not take, to "dead".
func refusing(b *stream.Builder) {
	b.DeadLetter("dead", stream.Future)
	in := stream.From(b, left)
	stream.To(in, out)
}

const letterNow = 1_000_000_000

// letterOf runs one record through refusing, and returns its dead letter.
func letterOf(t *testing.T, m graph.Message, limits map[string]*graph.Limits) (graph.Out, map[string]string) {
	t.Helper()
	cfg := config(t, refusing)
	cfg.Limits = limits
	x := newTask(t, cfg)
	feed(t, x, 0, []graph.Message{m})
	if n, err := x.Step(letterNow, 1); n != 1 || err != nil {
		t.Fatalf("%d records, %v", n, err)
	}
	c := prepare(t, x)
	checkAccounts(t, c)
	if len(c.Outputs) != 1 || c.Outputs[0].Topic != "dead" {
		t.Fatalf("outputs %+v", c.Outputs)
	}
	l, headers := c.Outputs[0], map[string]string{}
	for _, h := range l.Headers {
		if _, twice := headers[h.Key]; twice {
			t.Errorf("header %s is there twice", h.Key)
		}
		headers[h.Key] = string(h.Value)
	}
	return l, headers
}

func limited(change func(sink, dead *graph.Limits)) map[string]*graph.Limits {
	all := map[string]*graph.Limits{"out": graph.Unlimited(), "dead": graph.Unlimited()}
	change(all["out"], all["dead"])
	return all
}

// TestARefusedResultIsTheFaultOfItsRecord, whatever its topic does not take.
func TestARefusedResultIsTheFaultOfItsRecord(t *testing.T) {
	good := graph.Message{Key: []byte("k"), Value: []byte("v"), Timestamp: letterNow, Offset: 7}
	old, keyless := good, good
	old.Timestamp, keyless.Key = 5, nil
	for name, c := range map[string]struct {
		m      graph.Message
		limits map[string]*graph.Limits
	}{
		"size": {good, limited(func(sink, _ *graph.Limits) { sink.MaxBytes = 10 })},
		"time": {old, limited(func(sink, _ *graph.Limits) { sink.Before = 1000 })},
		"key":  {keyless, limited(func(sink, _ *graph.Limits) { sink.Compacted = true })},
	} {
		_, h := letterOf(t, c.m, c.limits)
		if h["__millrace.errors.reason"] != "refused" || h["__millrace.errors.phase"] != "produce" || h["__millrace.errors.operator"] != "sink:out" ||
			h["__streams.errors.topic"] != "left" || h["__streams.errors.offset"] != "7" || !strings.Contains(h["__streams.errors.message"], `topic "out"`) {
			t.Errorf("%s: headers %v", name, h)
		}
	}
}

// TestADeadLetterAlwaysGetsOut: into a topic that takes less than the record.
func TestADeadLetterAlwaysGetsOut(t *testing.T) {
	long := strings.Repeat("x", 3000)
	m := graph.Message{Key: []byte("key"), Value: []byte(long), Timestamp: letterNow, Offset: 7, Headers: []graph.Header{{Key: "trace", Value: []byte(long)}}}
	for most, want := range map[int]map[string]string{
		100_000: {"trace": long, "__millrace.errors.payload": "", "__millrace.errors.headers": ""},
		5000:    {"trace": long[:256], "__millrace.errors.payload": "", "__millrace.errors.headers": "cut"},
		2000:    {"trace": long[:256], "__millrace.errors.payload": "sha256", "__millrace.errors.headers": "cut"},
		900:     {"trace": "", "__millrace.errors.payload": "sha256", "__millrace.errors.headers": "cut"},
	} {
		l, h := letterOf(t, m, limited(func(sink, dead *graph.Limits) { sink.MaxBytes, dead.MaxBytes = 10, most }))
		for key, value := range want {
			if h[key] != value {
				t.Errorf("up to %d bytes: header %s is %.20q, want %.20q", most, key, h[key], value)
			}
		}
		if l.WireSize() > most {
			t.Errorf("up to %d bytes: it has %d", most, l.WireSize())
		}
		if hashed := h["__millrace.errors.payload"] != ""; hashed == (string(l.Value) == long) {
			t.Errorf("up to %d bytes: hashed %v, value %.20q", most, hashed, l.Value)
		}
	}
	m.Key = nil
	l, h := letterOf(t, m, limited(func(sink, dead *graph.Limits) { sink.MaxBytes, dead.Compacted = 10, true }))
	if string(l.Key) != "left-0-7" || h["__millrace.errors.key"] != "none" {
		t.Errorf("key %q, headers %v", l.Key, h)
	}
}

// TestWhatOthersHaveWrittenIntoTheHeadersOfALetter goes no further than it makes
// sense: it is a number, once, and of no length of its own.
func TestWhatOthersHaveWrittenIntoTheHeadersOfALetter(t *testing.T) {
	const first, timestamp, attempts = "__millrace.errors.first.failed.at", "__millrace.errors.timestamp", "__millrace.errors.attempts"
	long := strings.Repeat("7", 5000)
	for name, c := range map[string]struct{ headers, want []string }{ // key, value, ...
		"numbers":   {[]string{first, "5", timestamp, "6", attempts, "2"}, []string{first, "5", timestamp, "6", attempts, "3"}},
		"too long":  {[]string{first, long, timestamp, long, attempts, long}, []string{first, "1000000000", timestamp, "", attempts, "1"}},
		"no number": {[]string{first, "x", timestamp, "", attempts, "-4"}, []string{first, "1000000000", timestamp, "", attempts, "1"}},
		"twice":     {[]string{first, "5", first, "6", timestamp, "7", timestamp, "8", attempts, "1", attempts, "2"}, []string{first, "6", timestamp, "8", attempts, "3"}},
		"the most":  {[]string{attempts, "9223372036854775807"}, []string{attempts, "9223372036854775807"}},
	} {
		m := graph.Message{Key: []byte("key"), Value: []byte("value"), Timestamp: letterNow}
		for i := 0; i < len(c.headers); i += 2 {
			m.Headers = append(m.Headers, graph.Header{Key: c.headers[i], Value: []byte(c.headers[i+1])})
		}
		l, h := letterOf(t, m, limited(func(sink, dead *graph.Limits) { sink.MaxBytes, dead.MaxBytes = 1, 3000 }))
		for i := 0; i < len(c.want); i += 2 {
			if got := h[c.want[i]]; got != c.want[i+1] {
				t.Errorf("%s: %s is %.30q, want %q", name, c.want[i], got, c.want[i+1])
			}
		}
		if l.WireSize() > 3000 {
			t.Errorf("%s: it has %d bytes", name, l.WireSize())
		}
	}
}

// A described failure is one whose text, and whose operator, are as somebody likes.
func described(t *testing.T, name, text string, most int) (graph.Out, map[string]string) {
	t.Helper()
	cfg := config(t, func(b *stream.Builder) {
		b.DeadLetter("dead")
		stream.To(stream.TryMapValues(stream.From(b, left), func(*stream.Context, *stream.Record[string, string]) (string, error) {
			return "", errors.New(text)
		}, stream.Name(name)), out)
	})
	cfg.Version = name
	cfg.Limits = limited(func(_, dead *graph.Limits) { dead.MaxBytes = most })
	x := newTask(t, cfg)
	feed(t, x, 0, messages(0, "v"))
	step(t, x)
	l, headers := prepare(t, x).Outputs[0], map[string]string{}
	for _, h := range l.Headers {
		headers[h.Key] = string(h.Value)
	}
	return l, headers
}

// TestTheHeadersOfALetterAreTexts in UTF-8, wherever they are cut, and none is of any
// length that somebody likes.
func TestTheHeadersOfALetterAreTexts(t *testing.T) {
	for _, most := range []int{100_000, 1024} {
		for name, text := range map[string]string{
			"cut":     strings.Repeat("x", 1023) + "é" + strings.Repeat("é", 5000),
			"shorter": strings.Repeat("x", 63) + "é",
			"invalid": "a\xffb" + strings.Repeat("\xffx", 5000),
			"at last": strings.Repeat("é", 511) + "x\xc3",
		} {
			l, h := described(t, text, text, most)
			for key, value := range h {
				if !utf8.ValidString(value) || len(value) > 1024 {
					t.Errorf("%s, up to %d bytes: header %s has %d bytes, or is no text: %.50q", name, most, key, len(value), value)
				}
			}
			if l.WireSize() > most {
				t.Errorf("%s: it has %d bytes, and %d are taken", name, l.WireSize(), most)
			}
		}
	}
	_, h := described(t, "a", "a\xffb", 100_000)
	if got := h["__streams.errors.message"]; got != "a\uFFFDb" {
		t.Errorf("the message is %q", got)
	}
}

// TestADeadLetterGivesUpOnlyWhatMakesItSmaller, and says of nothing else that it
// has.
func TestADeadLetterGivesUpOnlyWhatMakesItSmaller(t *testing.T) {
	long := strings.Repeat("x", 3000)
	many := make([]graph.Header, 20)
	for i := range many {
		many[i] = graph.Header{Key: "h" + string(rune('a'+i)), Value: []byte(long[:200])}
	}
	for name, c := range map[string]struct {
		value         string
		headers       []graph.Header
		most          int
		cut           string
		payload, kept string
	}{
		"short headers, long value": {long, many[:1], 2000, "", "sha256", ""},
		"no headers, long value":    {long, nil, 2000, "", "sha256", ""},
		"many headers, short value": {"short", many, 2000, "cut", "", "short"},
		"all of it":                 {long, many, 1000, "cut", "sha256", ""},
		"room enough":               {long, many, 100_000, "", "", long},
	} {
		m := graph.Message{Key: []byte("key"), Value: []byte(c.value), Timestamp: letterNow, Headers: c.headers}
		l, h := letterOf(t, m, limited(func(sink, dead *graph.Limits) { sink.MaxBytes, dead.MaxBytes = 1, c.most }))
		if h["__millrace.errors.headers"] != c.cut || h["__millrace.errors.payload"] != c.payload || c.kept != "" && string(l.Value) != c.kept {
			t.Errorf("%s: headers %q, payload %q, value %.20q", name, h["__millrace.errors.headers"], h["__millrace.errors.payload"], l.Value)
		}
		if l.WireSize() > c.most {
			t.Errorf("%s: it has %d bytes, and %d are taken", name, l.WireSize(), c.most)
		}
	}
}

// TestADeadLetterHasATimeThatItsTopicTakes, also that of a record that was not
// believed for its time.
func TestADeadLetterHasATimeThatItsTopicTakes(t *testing.T) {
	const hour = 3_600_000
	limits := limited(func(_, dead *graph.Limits) { dead.After = hour })
	m := graph.Message{Key: []byte("k"), Value: []byte("v"), Timestamp: letterNow + 72*hour}
	l, h := letterOf(t, m, limits)
	if h["__millrace.errors.reason"] != "future" || h["__millrace.errors.timestamp"] != "1259200000" || !limits["dead"].Takes(&l, letterNow) {
		t.Errorf("time %d, headers %v", l.Timestamp, h)
	}
}

// TestARecordThatComesBackHasTheHeadersOfItsLastFailure, and the count of all.
func TestARecordThatComesBackHasTheHeadersOfItsLastFailure(t *testing.T) {
	limits := limited(func(sink, _ *graph.Limits) { sink.MaxBytes = 10 })
	l, h := letterOf(t, graph.Message{Key: []byte("k"), Value: []byte("v"), Timestamp: 5, Headers: []graph.Header{{Key: "trace", Value: []byte("t")}}}, limits)
	for attempts := range 3 {
		if h["__millrace.errors.attempts"] != string(rune('1'+attempts)) || h["__millrace.errors.first.failed.at"] != "1000000000" || h["trace"] != "t" {
			t.Errorf("attempt %d: headers %v", attempts+1, h)
		}
		n := len(l.Headers)
		l, h = letterOf(t, graph.Message{Key: l.Key, Value: l.Value, Headers: l.Headers, Timestamp: 5, Offset: 9}, limits)
		if len(l.Headers) != n || h["__streams.errors.offset"] != "9" {
			t.Errorf("attempt %d: %d headers became %d, offset %s", attempts+1, n, len(l.Headers), h["__streams.errors.offset"])
		}
	}
}

// finals counts in windows of a day, whose results lie ahead at the end of a run.
func finals(policy func(*stream.Builder), opts ...stream.Option) func(*stream.Builder) {
	return func(b *stream.Builder) {
		policy(b)
		w := windowing.Tumbling(24 * 3_600_000_000_000).Emit(windowing.OnClose)
		counts := stream.CountWindows("days", stream.Window(stream.GroupByKey(stream.From(b, left)), w)).Results
		stream.To(counts, stream.Topic[windowing.Key[string], int64]{Name: "out", Key: windowing.ResultKeySerde(serde.String, w), Value: serde.Int64}, opts...)
	}
}

// TestARefusedFinalDoesNotEndTheTask where the policy has an answer: it is counted
// at its sink and is a dead letter itself, and clamped it gets through.
func TestARefusedFinalDoesNotEndTheTask(t *testing.T) {
	const hour = 3_600_000
	for name, c := range map[string]struct {
		policy             func(*stream.Builder)
		opts               []stream.Option
		fails              bool
		refused, out, dead int
	}{
		"fail":        {policy: func(*stream.Builder) {}, fails: true},
		"skip":        {policy: (*stream.Builder).SkipErrors, refused: 1},
		"dead letter": {policy: func(b *stream.Builder) { b.DeadLetter("dead") }, refused: 1, dead: 1},
		"clamped":     {policy: func(*stream.Builder) {}, opts: []stream.Option{stream.ClampTime()}, out: 1},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, finals(c.policy, c.opts...))
			cfg.Limits = limited(func(sink, dead *graph.Limits) { sink.After, dead.After = hour, hour })
			cfg.Run, cfg.LogicalNow, cfg.Inputs[0].End = "run", letterNow, 1
			x := newTask(t, cfg)
			feed(t, x, 0, []graph.Message{{Key: []byte("k"), Value: []byte("v"), Timestamp: letterNow - 13*hour}}) // its day ends in 11 hours
			_, err := x.Step(letterNow, 10)
			if c.fails {
				if err == nil || !strings.Contains(err.Error(), `topic "out"`) || !strings.Contains(err.Error(), "ClampTime") {
					t.Errorf("the error is %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			commit := prepare(t, x)
			checkAccounts(t, commit)
			refused, count := 0, map[string]int{}
			for i := range commit.Counters {
				refused += int(commit.Counters[i].Dropped[graph.Refused])
			}
			for i := range commit.Outputs {
				o := &commit.Outputs[i]
				if count[o.Topic]++; !cfg.Limits[o.Topic].Takes(o, letterNow) {
					t.Errorf("topic %q does not take time %d", o.Topic, o.Timestamp)
				}
			}
			if refused != c.refused || count["out"] != c.out || count["dead"] != c.dead {
				t.Errorf("%d refused, outputs %v", refused, count)
			}
		})
	}
}

// TestAPanicWithoutEffectsIsSettledInPlace: the good records around it cost no
// replay.
func TestAPanicWithoutEffectsIsSettledInPlace(t *testing.T) {
	x := newTask(t, config(t, func(b *stream.Builder) {
		b.DeadLetter("dead")
		stream.To(stream.MapValues(stream.From(b, left), func(v string) string { mind(v); return v }), out)
	}))
	feed(t, x, 0, messages(0, "a", "bad", "b", "bad", "bad"))
	if n := step(t, x); n != 5 {
		t.Errorf("%d of 5 records", n)
	}
	c := prepare(t, x)
	checkAccounts(t, c)
	if values(c, "out") != "a b" || values(c, "dead") != "bad bad bad" || c.Offsets[0].Offset != 5 {
		t.Errorf("out %q, dead %q, offset %d", values(c, "out"), values(c, "dead"), c.Offsets[0].Offset)
	}
}

// TestTheReplayIsCareful for long enough, and not for ever.
func TestTheReplayIsCareful(t *testing.T) {
	cfg := config(t, counted)
	cfg.Careful = 3
	x := newTask(t, cfg)
	feed(t, x, 0, messages(0, "a", "bad", "b"))
	step(t, x)
	if got, want := x.Careful(), task.CarefulRecords-1; got != want {
		t.Errorf("careful for %d records more, want %d", got, want)
	}
	cfg = config(t, counted)
	cfg.Careful = 2
	x = newTask(t, cfg)
	feed(t, x, 0, messages(0, "a", "b", "bad"))
	_, err := x.Step(math.MaxInt64, 10)
	if scope, _ := task.Classify(err); scope != task.RecordScope {
		t.Errorf("not careful any more: scope %v, %v", scope, err)
	}
}

// A torn codec fails at what it finds in a store.
type torn struct{ broken *bool }

func (torn) Append(dst []byte, v int64) ([]byte, error) { return append(dst, byte(v)), nil }

func (c torn) Decode(src []byte) (int64, error) {
	if *c.broken {
		panic("user code")
	}
	return int64(src[0]), nil
}

// TestWhatWasCountedIsAnEffect: a record that an operator has counted, and that
// then fails before anything was written, is not settled with that count.
func TestWhatWasCountedIsAnEffect(t *testing.T) {
	broken := false
	cfg := config(t, func(b *stream.Builder) {
		b.SkipErrors()
		last := func(_, v int64) int64 { return v }
		in := stream.From(b, stream.Topic[string, int64]{Name: "left", Key: serde.String, Value: serde.Of[int64](torn{new(bool)})})
		stream.Reduce("kept", stream.GroupByKey(in), last, serde.Of[int64](torn{&broken}))
	})
	record := func(offset int64, key string) []graph.Message {
		return []graph.Message{{Key: []byte(key), Value: []byte{1}, Offset: offset, Timestamp: offset}}
	}
	x := newTask(t, cfg)
	feed(t, x, 0, record(0, "k"))
	step(t, x)
	c := prepare(t, x)
	if err := x.Committed([]int64{int64(len(c.Entries))}, 1); err != nil {
		t.Fatal(err)
	}
	cfg.Stores.Discard() // what is in memory
	broken = true
	cfg.Inputs[0].Offset = 1
	x = newTask(t, cfg)
	feed(t, x, 0, record(1, "k"))
	_, err := x.Step(math.MaxInt64, 1)
	if scope, _ := task.Classify(err); scope != task.RecordScope {
		t.Fatalf("scope %v, %v", scope, err)
	}
	cfg.Careful = 10
	x = newTask(t, cfg)
	feed(t, x, 0, record(1, "k"))
	step(t, x)
	checkAccounts(t, prepare(t, x))
}

// A mute error panics when it is to say something.
type mute struct{}

func (mute) Error() string { panic("user code") }

// TestAnErrorThatCannotBeToldIsAFailureToo, of the same record and counted once.
func TestAnErrorThatCannotBeToldIsAFailureToo(t *testing.T) {
	for _, careful := range []int{0, 10} {
		cfg := config(t, func(b *stream.Builder) {
			b.DeadLetter("dead")
			stream.To(stream.TryMapValues(stream.From(b, left), func(_ *stream.Context, r *stream.Record[string, string]) (string, error) {
				if r.Value == "bad" {
					return "", mute{}
				}
				return r.Value, nil
			}), out)
		})
		cfg.Careful = careful
		x := newTask(t, cfg)
		feed(t, x, 0, messages(0, "a", "bad", "b"))
		step(t, x)
		c := prepare(t, x)
		checkAccounts(t, c)
		if values(c, "out") != "a b" || values(c, "dead") != "bad" {
			t.Errorf("out %q, dead %q", values(c, "out"), values(c, "dead"))
		}
	}
}

// A list whose codec does not read what it writes of an empty one.
type list struct{}

func (list) Append(dst []byte, v []string) ([]byte, error) {
	return append(dst, strings.Join(v, " ")...), nil
}

func (list) Decode(src []byte) ([]string, error) {
	_ = src[0]
	return strings.Fields(string(src)), nil
}

// TestACodecThatPanicsWhenARecordIsTakenBack: the record is to blame, and the
// whole transaction is aborted. Nothing else says that there is a codec at fault.
func TestACodecThatPanicsWhenARecordIsTakenBack(t *testing.T) {
	for _, bad := range []func() error{func() error { return mute{} }, func() error { panic("user code") }} {
		cfg := config(t, func(b *stream.Builder) {
			b.SkipErrors()
			lists := stream.Aggregate("lists", stream.GroupByKey(stream.From(b, left)), stream.Aggregator[string, string, []string]{
				Add: func(_, v string, all []string) []string {
					if v == "none" {
						return nil
					}
					return append(all, v)
				}, State: serde.Of[[]string](list{}),
			}, stream.Emit(windowing.OnUpdate))
			checked := stream.TryMapValues(lists.Changes(), func(_ *stream.Context, r *stream.Record[string, []string]) (string, error) {
				if len(r.Value) > 0 && r.Value[0] == "bad" {
					return "", bad()
				}
				return "fine", nil
			})
			stream.To(checked, out)
		})
		cfg.Careful = 10
		x := newTask(t, cfg)
		feed(t, x, 0, []graph.Message{{Key: []byte("k"), Value: []byte("none")}, {Key: []byte("k"), Value: []byte("bad"), Offset: 1, Timestamp: 1}})
		_, err := x.Step(math.MaxInt64, 2)
		scope, poison := task.Classify(err)
		if scope != task.RecordScope {
			t.Errorf("scope %v, %v", scope, err)
		}
		for what, err := range map[string]error{"the error": err, "the poison": poison.Err()} {
			if text := fmt.Sprint(err); !strings.Contains(text, `state: store "lists": a value that was noted cannot be decoded: the codec panics`) {
				t.Errorf("%s does not name the codec: %s", what, text)
			}
		}
	}
}

// TestTheTurnOfRecordsWithoutAKeyIsTakenBack: the next goes where it would have
// gone.
func TestTheTurnOfRecordsWithoutAKeyIsTakenBack(t *testing.T) {
	partitions := func(values ...string) (all []int32) {
		cfg := config(t, func(b *stream.Builder) {
			b.SkipErrors()
			in := stream.From(b, left)
			stream.To(in, out)
			stream.To(stream.TryMapValues(in, func(_ *stream.Context, r *stream.Record[string, string]) (string, error) {
				if r.Value == "bad" {
					return "", mute{}
				}
				return r.Value, nil
			}), right)
		})
		cfg.Careful, cfg.Partitions = 10, map[string]int32{"out": 3, "right": 1}
		x := newTask(t, cfg)
		batch := messages(0, values...)
		for i := range batch {
			batch[i].Key = nil
		}
		feed(t, x, 0, batch)
		step(t, x)
		for _, o := range prepare(t, x).Outputs {
			if o.Topic == "out" {
				all = append(all, o.Partition)
			}
		}
		return all
	}
	if with, without := partitions("a", "bad", "b", "c"), partitions("a", "b", "c"); !slices.Equal(with, without) || len(with) != 3 {
		t.Errorf("partitions %v, without the bad record %v", with, without)
	}
}
