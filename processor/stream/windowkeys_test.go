package stream_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// keyKinds are windows of every kind with the serdes that fit their keys.
var keyKinds = []struct {
	name  string
	w     windowing.Definition
	start bool // the start says all, in windows of a minute
}{
	{"tumbling", windowing.Tumbling(time.Minute), true},
	{"hopping", windowing.Hopping(time.Minute, 10*time.Second), true},
	{"sliding", windowing.Sliding(time.Minute), true},
	{"cumulative", windowing.Cumulative(10*time.Second, time.Minute), false},
	{"calendar", windowing.Calendar(windowing.Day, time.UTC), false},
	{"unlimited", windowing.Unlimited(0), false},
	{"session", windowing.Session(time.Minute), false},
}

// ownKey is a serde from elsewhere.
type ownKey struct{ serde.Serde[windowKey] }

// TestKeysThatDoNotFitTheirWindowsAreRefused: else three windows become one key,
// or others are read back.
func TestKeysThatDoNotFitTheirWindowsAreRefused(t *testing.T) {
	minute, hour := windowing.KeySerde(serde.String, time.Minute), windowing.KeySerde(serde.String, time.Hour)
	both := windowing.SessionKeySerde(serde.String)
	for _, k := range keyKinds {
		for name, c := range map[string]struct {
			keys serde.Serde[windowKey]
			fits bool
		}{
			"a minute": {minute, k.start}, "an hour": {hour, false}, "both bounds": {both, !k.start},
			"the results' own": {nil, true}, "from elsewhere": {ownKey{hour}, true},
		} {
			err := built(k.w, func(s stream.Stream[windowKey, int64]) {
				stream.To(s, stream.Topic[windowKey, int64]{Name: "out", Key: c.keys, Value: serde.Int64})
			})
			if (err == nil) != c.fits {
				t.Errorf("%s windows, keys of %s: %v", k.name, name, err)
			}
			if err != nil && (!strings.Contains(err.Error(), `sink "out"`) || !strings.Contains(err.Error(), "KeySerde of windows of 1") && !strings.Contains(err.Error(), "SessionKeySerde, which writes both")) {
				t.Errorf("%s windows, keys of %s: the error does not name both: %v", k.name, name, err)
			}
		}
	}
}

// TestKeysAreKnownBehindOtherOperators: whatever keeps the key.
func TestKeysAreKnownBehindOtherOperators(t *testing.T) {
	type results = stream.Stream[windowKey, int64]
	hour := windowing.KeySerde(serde.String, time.Hour)
	for name, c := range map[string]struct {
		next func(results)
		fits bool
	}{
		"filtered": {func(s results) { stream.To(s.Filter(func(windowKey, int64) bool { return true }), hourly(hour)) }, false},
		"mapped":   {func(s results) { stream.To(stream.MapValues(s, func(n int64) int64 { return n }), hourly(hour)) }, false},
		"a table": {func(s results) {
			stream.To(stream.Count("again", stream.GroupByKey(stream.EachUpdate(s))).Changes(), hourly(hour))
		}, false},
		"repartition": {func(s results) { stream.Repartition("by", stream.EachUpdate(s), hour, serde.Int64) }, false},
		"behind a repartition": {func(s results) {
			by := stream.Repartition("by", stream.EachUpdate(s), serde.Serde[windowKey](nil), serde.Int64)
			stream.To(by, hourly(hour))
		}, false},
		"behind a repartition, fitting": {func(s results) {
			by := stream.Repartition("by", stream.EachUpdate(s), serde.Serde[windowKey](nil), serde.Int64)
			stream.To(by, hourly(windowing.KeySerde(serde.String, time.Minute)))
		}, true},
		"another key": {func(s results) {
			stream.To(stream.SelectKey(s, func(k windowKey, _ int64) windowKey { return k }), hourly(hour))
		}, true},
		"another key, no serde": {func(s results) {
			stream.To(stream.SelectKey(s, func(k windowKey, _ int64) windowKey { return k }), hourly(nil))
		}, false},
	} {
		if err := built(windowing.Tumbling(time.Minute), c.next); (err == nil) != c.fits {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func hourly(keys serde.Serde[windowKey]) stream.Topic[windowKey, int64] {
	return stream.Topic[windowKey, int64]{Name: "out", Key: keys, Value: serde.Int64}
}

// TestMergedWindowsOfSeveralKindsNeedBothBounds: the start alone would be that of
// one kind.
func TestMergedWindowsOfSeveralKindsNeedBothBounds(t *testing.T) {
	for name, c := range map[string]struct {
		keys serde.Serde[windowKey]
		fits bool
	}{
		"a minute":    {windowing.KeySerde(serde.String, time.Minute), false},
		"an hour":     {windowing.KeySerde(serde.String, time.Hour), false},
		"both bounds": {windowing.SessionKeySerde(serde.String), true},
	} {
		b := stream.New("merged")
		g := stream.GroupByKey(stream.From(b, numbers))
		count := func(name string, size time.Duration) stream.Stream[windowKey, int64] {
			return stream.CountWindows(name, stream.Window(g, windowing.Tumbling(size))).Results
		}
		stream.To(count("minutes", time.Minute).Merge(count("hours", time.Hour)), hourly(c.keys))
		if _, err := b.Build(); (err == nil) != c.fits {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestATopicTakesTheKeysOfTheResults: three windows that grow over one record are
// three keys, written and read without a serde for them.
func TestATopicTakesTheKeysOfTheResults(t *testing.T) {
	out := hourly(nil)
	d := processortest.New(t, func(b *stream.Builder) {
		w := windowing.Cumulative(10*time.Second, 30*time.Second).Emit(windowing.OnClose)
		stream.To(stream.CountWindows("counts", stream.Window(stream.GroupByKey(stream.From(b, numbers)), w)).Results, out)
	})
	unkeyed := numbers
	unkeyed.Key = nil // the test takes that of the source
	processortest.Input(d, unkeyed).Put(at(2), "a", 1)
	d.AdvanceTo(at(60))
	d.Commit()
	expect(t, briefWindows(processortest.Output(d, out).Drain()), "a[0,10)=1@9999 a[0,20)=1@19999 a[0,30)=1@29999")
}

// A failing is a testing.TB that notes why the test failed and goes no further.
type failing struct {
	testing.TB
	why string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.why = fmt.Sprintf(format, args...)
	panic(f)
}

// TestTheDriverRefusesKeysOfOtherWindows: what is read would be other windows.
func TestTheDriverRefusesKeysOfOtherWindows(t *testing.T) {
	f := &failing{TB: t}
	d := processortest.New(f, countPerMinute(windowing.OnClose))
	for name, read := range map[string]func(){
		`topic "windows", as the test has it: the serde of the keys is a KeySerde of windows of 1h0m0s`: func() {
			hours := windows
			hours.Key = windowing.KeySerde(serde.String, time.Hour)
			processortest.Output(d, hours)
		},
		`topic "windows" has no serde for its keys, and the topology none of this type`: func() {
			processortest.Output(d, stream.Topic[string, int64]{Name: "windows", Value: serde.Int64})
		},
		`topic "windows" has no serde for its values`: func() {
			processortest.Output(d, stream.Topic[windowKey, int64]{Name: "windows"})
		},
	} {
		f.why = ""
		func() {
			defer func() { _ = recover() }()
			read()
		}()
		if !strings.Contains(f.why, name) {
			t.Errorf("got %q, want %q", f.why, name)
		}
	}
}
