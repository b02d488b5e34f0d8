package task

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/millrace/millrace/state"
)

// upstreams draws what was heard of n tasks, spread over so many ms; some have
// ended, some were not heard.
func upstreams(r *rand.Rand, n int, spread int64, ended float64) []state.Upstream {
	all := make([]state.Upstream, n)
	for i := range all {
		switch p := r.Float64(); {
		case p < ended:
			all[i] = state.Upstream{Watermark: r.Int64N(spread), Ended: true}
		case p < 0.95:
			all[i] = state.Upstream{Watermark: r.Int64N(spread)}
		default:
			all[i] = state.Upstream{Watermark: math.MinInt64}
		}
	}
	return all
}

// equal says that two lists mean the same: of those that have ended only the
// highest counts.
func equal(a, b []state.Upstream) bool {
	if len(a) != len(b) || formOf(a).ended != formOf(b).ended {
		return false
	}
	for i := range a {
		if a[i].Ended != b[i].Ended || !a[i].Ended && a[i].Watermark != b[i].Watermark {
			return false
		}
	}
	return true
}

func TestUpstreamTasksComeBackFromMetadata(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, spread := range []int64{1, 100, 1 << 17, 1 << 41, 1<<48 - 2} {
		for n := range 50 {
			want := upstreams(r, n, spread, r.Float64())
			got, ok := decodeUpstream(appendUpstreamWithin(nil, want, 4096))
			if !ok || !equal(got, want) {
				t.Fatalf("%d within %d ms: %+v became %+v, %v", n, spread, want, got, ok)
			}
		}
	}
}

// TestUpstreamTasksFitIntoMetadata: as many as the constant says in any case, and
// in ordinary cases many more; the metadata never outgrow the broker's limit.
func TestUpstreamTasksFitIntoMetadata(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	run := strings.Repeat("r", 255)
	for _, c := range []struct {
		name   string
		n      int
		spread int64
		ended  float64
		run    string
	}{
		{"any", upstreamFits, math.MaxInt64, 0, run},
		{"within a year", 500, 365 * 24 * 3_600_000, 0, ""},
		{"within four hours", 900, 4 * 3_600_000, 0, ""},
		{"a bounded run", 4000, 365 * 24 * 3_600_000, 0.95, run},
		{"a bounded run that is almost over", 20_000, 365 * 24 * 3_600_000, 1, run},
	} {
		all := upstreams(r, c.n, c.spread, c.ended)
		meta := Meta{Watermark: 7, Run: c.run, Finished: true, Upstream: all}
		if c.name == "any" {
			meta.TopicID, meta.Notes = strings.Repeat("t", TopicIDSize), make([]Note, notesMax+10)
		}
		text := EncodeMeta(meta)
		m, err := DecodeMeta(text)
		if err != nil || len(text) > metaLimit || len(m.Upstream) != c.n {
			t.Fatalf("%s: %d of %d tasks in %d bytes, %v", c.name, len(m.Upstream), c.n, len(text), err)
		}
		for i, u := range m.Upstream {
			want := all[i].Watermark
			if c.spread == math.MaxInt64 {
				want = min(want, formOf(all).lowest+stepLimit-1)
			}
			if u.Ended != all[i].Ended || !u.Ended && u.Watermark != want {
				t.Fatalf("%s: task %d is %+v, was %+v", c.name, i, u, all[i])
			}
		}
	}
}

// TestWhatHasEndedIsKeptLongest: where the room is short the others are as if they
// were not heard, and where it is shorter nothing is kept.
func TestWhatHasEndedIsKeptLongest(t *testing.T) {
	all := []state.Upstream{{Watermark: 500}, {Watermark: 300, Ended: true}, {Watermark: math.MinInt64}, {Watermark: 700, Ended: true}}
	whole := len(appendUpstreamWithin(nil, all, 4096))
	want := []state.Upstream{{Watermark: math.MinInt64}, {Watermark: 700, Ended: true}, {Watermark: math.MinInt64}, {Watermark: 700, Ended: true}}
	short := appendUpstreamWithin([]byte("before"), all, whole-1)
	if got, ok := decodeUpstream(bytes.TrimPrefix(short, []byte("before"))); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("one byte short: %+v, %v", got, ok)
	}
	if none := appendUpstreamWithin([]byte("before"), all, len(short)-len("before")-1); string(none) != "before" {
		t.Errorf("without room %q was written", none)
	}
}

// TestMetadataOfBeforeAreRead: the list as it was encoded at first.
func TestMetadataOfBeforeAreRead(t *testing.T) {
	want := []state.Upstream{{Watermark: 500}, {Watermark: -3, Ended: true}, {Watermark: math.MinInt64}}
	b := append(binary.BigEndian.AppendUint64(nil, 77), 0)
	for _, u := range want {
		b = append(binary.BigEndian.AppendUint64(b, uint64(u.Watermark)), map[bool]byte{true: 1}[u.Ended])
	}
	m, err := DecodeMeta("millrace1:" + base64.RawStdEncoding.EncodeToString(b))
	if err != nil || m.Watermark != 77 || !reflect.DeepEqual(m.Upstream, want) {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestDamagedListsAreRefused: what no task has written is nobody's.
func TestDamagedListsAreRefused(t *testing.T) {
	good := appendUpstreamWithin(nil, []state.Upstream{{Watermark: 500}, {Watermark: 300, Ended: true}, {Watermark: 900}}, 4096)
	for n := 1; n < len(good); n++ {
		if all, ok := decodeUpstream(good[:n]); ok {
			t.Errorf("cut to %d of %d bytes: %+v", n, len(good), all)
		}
	}
	if all, ok := decodeUpstream(append(good, 0)); ok {
		t.Errorf("one byte more: %+v", all)
	}
	wide := bytes.Clone(good)
	wide[1] = widthLimit + 1
	if all, ok := decodeUpstream(wide); ok {
		t.Errorf("wider than is written: %+v", all)
	}
}

func FuzzDecodeUpstream(f *testing.F) {
	f.Add([]byte{})
	f.Add(appendUpstreamWithin(nil, []state.Upstream{{Watermark: 500}, {Watermark: 300, Ended: true}, {Watermark: math.MinInt64}}, 4096))
	f.Add(appendUpstreamWithin(nil, []state.Upstream{{Watermark: math.MinInt64 + 1}, {Watermark: math.MaxInt64}}, 4096))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, ok := decodeUpstream(b)
		if !ok {
			return
		}
		again, ok := decodeUpstream(appendUpstreamWithin(nil, all, math.MaxInt))
		if !ok || !reflect.DeepEqual(again, all) {
			t.Errorf("%+v became %+v, %v", all, again, ok)
		}
	})
}
