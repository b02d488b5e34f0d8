package windowing

import (
	"slices"
	"testing"

	"github.com/millrace/millrace/state"
)

// The tables of SEMANTICS.md that no other test goes through, line by line.

func TestTableMaxAhead(t *testing.T) {
	for _, line := range []struct {
		max, ts EventTime
		want    bool
	}{{NoTime, 1000, true}, {NoTime, 1001, false}, {5000, 6000, true}, {5000, 6001, false}} {
		c := Ascending().MaxAhead(1000 * ms).Channel(line.max)
		if got := c.Observe(line.ts, 0); got != line.want {
			t.Errorf("%+v: believed is %v", line, got)
		}
	}
}

func TestTableTwoWatermarks(t *testing.T) {
	r := newRig(t, Tumbling(10*ms).Emit(OnClose))
	fast, slow := Ascending().Channel(NoTime), Ascending().Channel(NoTime)
	for _, line := range []struct {
		c    *Channel
		ts   EventTime
		late bool
	}{{&slow, 3, false}, {&fast, 25, false}, {&fast, 4, true}, {&slow, 4, false}, {&slow, 10, false}} {
		r.expect()
		line.c.Observe(line.ts, 0)
		if late := r.add("k", ".", line.ts, line.c.Watermark()); late != line.late {
			t.Errorf("%d: late is %v", line.ts, late)
		}
		r.advance(min(fast.Watermark(), slow.Watermark()))
	}
	r.expect("k[0,10)=..@9")
}

func TestTableEmission(t *testing.T) {
	for emit, want := range map[Emit][4][]string{
		OnUpdate: {{"a[0,10)=1@3"}, {"a[0,10)=11@3"}, {"a[10,20)=1@10"}, nil},
		OnCommit: {{"a[0,10)=1@3"}, {"a[0,10)=11@3"}, {"a[10,20)=1@10"}, nil},
		OnClose:  {nil, nil, {"a[0,10)=11@9"}, nil},
	} {
		r := newRig(t, Tumbling(10*ms).Emit(emit))
		c := Ascending().Channel(NoTime)
		for i, ts := range []EventTime{3, 1, 10, 9} {
			c.Observe(ts, 0)
			if late := r.add("a", "1", ts, c.Watermark()); late != (ts == 9) {
				t.Errorf("%v: %d: late is %v", emit, ts, late)
			}
			r.advance(c.Watermark())
			r.commit()
			r.expect(want[i]...)
		}
	}
}

func TestTableOnTime(t *testing.T) {
	for emit, want := range map[Emit][6][]string{
		OnTime:  {nil, {"a[0,10)=1@9"}, {"a[0,10)=11@9"}, {"a[0,10)=111@9"}, nil, nil},
		OnClose: {nil, nil, nil, nil, {"a[0,10)=111@9"}, nil},
	} {
		r := newRig(t, Tumbling(10*ms).Grace(5*ms).Emit(emit))
		for i, line := range []struct {
			ts, w EventTime // no time: no record
			late  bool
		}{{4, 4, false}, {NoTime, 10, false}, {8, 12, false}, {1, 14, false}, {NoTime, 15, false}, {8, 15, true}} {
			if line.ts != NoTime && r.add("a", "1", line.ts, line.w) != line.late {
				t.Errorf("%v: %d: late is not %v", emit, line.ts, line.late)
			}
			r.advance(line.w)
			r.expect(want[i]...)
		}
	}
}

func TestTablePassedByUpdates(t *testing.T) {
	r := newRig(t, Tumbling(10*ms).Emit(OnUpdate))
	r.add("b", "1", 8, 8)
	r.advance(8)
	r.expect("b[0,10)=1@8")
	r.add("a", "1", 1, 8)
	r.expect("a[0,10)=1@1")
	if r.agg.Passed() != 0 {
		t.Errorf("passed %d", r.agg.Passed())
	}
	if second := Tumbling(2 * ms); second.Closed(Window{0, 2}, 0) || !second.Closed(Window{0, 2}, 8) {
		t.Error("the result is in time by 0 and would be late by 8")
	}
}

func TestTableChain(t *testing.T) {
	first := newRig(t, Tumbling(10*ms).Grace(3*ms).Emit(OnClose))
	second := newRig(t, Tumbling(20*ms).Emit(OnClose))
	var judged []EventTime
	first.agg.emit = func(_ Window, key []byte, v *state.Timestamped[string], at EventTime) error {
		judged = append(judged, first.agg.Passed())
		if second.add(string(key), v.Value, at, first.agg.Passed()) {
			t.Errorf("the result at %d is late", at)
		}
		return nil
	}
	first.add("k", "1", 4, 4)
	first.add("k", "2", 12, 12)
	for _, line := range []struct {
		w, passed EventTime
		judged    []EventTime
		second    []string
	}{{12, 9, nil, nil}, {13, 10, []EventTime{9}, nil}, {22, 19, nil, nil}, {23, 20, []EventTime{19}, []string{"k[0,20)=12@19"}}} {
		judged = nil
		first.advance(line.w)
		second.advance(first.agg.Passed())
		if first.agg.Passed() != line.passed || !slices.Equal(judged, line.judged) {
			t.Errorf("at %d: passed %d, judged by %v; want %d, %v", line.w, first.agg.Passed(), judged, line.passed, line.judged)
		}
		second.expect(line.second...)
	}
}
