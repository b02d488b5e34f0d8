package windowing

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// expect compares what was sent since the last call.
func (r *keyedRig) expect(want ...string) {
	r.t.Helper()
	if !slices.Equal(r.rows, want) {
		r.t.Errorf("sent %q, want %q", r.rows, want)
	}
	r.rows = nil
}

// TestSessionUpdates is the table of SEMANTICS.md.
func TestSessionUpdates(t *testing.T) {
	steps := []struct {
		text   string
		ts     EventTime
		update []string
		commit []string
	}{
		{"a", 20, []string{"k[20,20]=a@20"}, []string{"k[20,20]=a@20"}},
		{"b", 20, []string{"k[20,20]=ab@20"}, []string{"k[20,20]=ab@20"}},
		{"c", 30, []string{"k[20,20] gone@20", "k[20,30]=abc@30"}, []string{"k[20,20] gone@20", "k[20,30]=abc@30"}},
		{"d", 25, []string{"k[20,30]=abcd@30"}, []string{"k[20,30]=abcd@30"}},
		{"e", 41, []string{"k[41,41]=e@41"}, []string{"k[41,41]=e@41"}},
		{"f", 35, []string{"k[20,30] gone@30", "k[41,41] gone@41", "k[20,41]=abcdef@41"},
			[]string{"k[20,30] gone@30", "k[41,41] gone@41", "k[20,41]=abcdef@41"}},
	}
	w := Session(10 * ms).Grace(5 * ms)
	update, commit := newKeyedRig(t, w.Emit(OnUpdate)), newKeyedRig(t, w)
	for _, s := range steps {
		for _, r := range []*keyedRig{update, commit} {
			if r.add("k", s.text, s.ts, s.ts) {
				t.Errorf("%s is late", s.text)
			}
			r.advance(s.ts)
		}
		commit.commit()
		update.expect(s.update...)
		commit.expect(s.commit...)
	}
}

// TestSessionCommitSendsTheLastState: what came and went between two commits is not sent.
func TestSessionCommitSendsTheLastState(t *testing.T) {
	r := newKeyedRig(t, Session(10*ms))
	r.add("k", "a", 20, 20)
	r.commit()
	r.expect("k[20,20]=a@20")
	r.add("k", "b", 31, 31)
	r.add("k", "c", 25, 31)
	r.add("k", "d", 33, 33)
	r.commit()
	r.expect("k[20,20] gone@20", "k[20,33]=abcd@33")
	r.add("k", "e", 34, 34)
	r.advance(45) // the session closes before the next commit
	r.expect("k[20,33] gone@33", "k[20,34]=abcde@34")
	r.commit()
	r.expect()
	r.add("k", "f", 45, 45)
	r.commit()
	r.restart()
	r.add("k", "g", 50, 50)
	r.commit()
	r.expect("k[45,45]=f@45", "k[45,45] gone@45", "k[45,50]=fg@50")
}

func TestSessionLateness(t *testing.T) {
	tests := []struct {
		name       string
		before     []EventTime // records of k
		ts, judged EventTime
		late       bool
		want       string
	}{
		{"alone, the last moment", nil, 0, 15, false, "k[0,0]=x@0"},
		{"alone, closed", nil, 0, 16, true, ""},
		{"held open by a session in reach", []EventTime{10}, 0, 25, false, "k[0,10]=.x@10"},
		{"the session in reach is closed as well", []EventTime{10}, 0, 26, true, ""},
		{"a session beyond reach holds nothing open", []EventTime{11}, 0, 16, true, ""},
	}
	for _, tt := range tests {
		r := newKeyedRig(t, Session(10*ms).Grace(5*ms))
		for _, ts := range tt.before {
			r.add("k", ".", ts, ts)
		}
		if late := r.add("k", "x", tt.ts, tt.judged); late != tt.late {
			t.Errorf("%s: late is %v", tt.name, late)
		}
		writes := r.stores.Writes()
		if tt.late {
			if r.add("k", "x", tt.ts, tt.judged); r.stores.Writes() != writes {
				t.Errorf("%s: a late record was written", tt.name)
			}
			continue
		}
		r.commit()
		r.expect(tt.want)
	}
}

// TestSessionClosing: W > last + gap + grace, finals at the last time, by due time and key.
func TestSessionClosing(t *testing.T) {
	r := newKeyedRig(t, Session(10*ms).Grace(5*ms).Emit(OnClose))
	r.add("b", "x", 3, 3)
	r.add("a", "y", 3, 3)
	r.add("c", "z", 0, 3)
	r.add("a", "u", 17, 17)
	r.advance(15)
	r.expect()
	r.advance(18)
	r.expect("c[0,0]=z@0")
	r.advance(19)
	r.expect("a[3,3]=y@3", "b[3,3]=x@3")
	if passed := r.agg.Passed(); passed != 4 {
		t.Errorf("passed %d", passed)
	}
	// The closed session takes no more: what is in its reach starts a new one.
	if r.add("a", "v", 12, 19) || r.add("b", "w", 12, 19) {
		t.Error("late")
	}
	r.advance(MaxTime)
	r.expect("b[12,12]=w@12", "a[12,17]=uv@17")
}

func TestKeyedStoresForgetKeys(t *testing.T) {
	for _, w := range []Definition{Session(10 * ms).Emit(OnClose), Sliding(10 * ms).Emit(OnClose)} {
		r := newKeyedRig(t, w)
		r.add("k", "x", 5, 5)
		r.commit()
		r.advance(50)
		entries, err := r.stores.Prepare(nil, "")
		if err != nil || len(entries) != 2 || !bytes.HasSuffix(entries[0].Key, []byte("k")) || entries[0].Value != nil {
			t.Errorf("%T: got %v, %v, want a tombstone for k and the position", w, entries, err)
		}
	}
}

func TestSessionsValidate(t *testing.T) {
	tests := []struct {
		w    Definition
		want []string
	}{
		{Session(10 * ms).Grace(5 * ms).Emit(OnClose), nil},
		{Sliding(10 * ms).Grace(5 * ms).Emit(OnUpdate), nil},
		{SessionWindows{}, []string{"gap"}},
		{Session(-ms).Grace(-ms).Emit(9), []string{"gap", "grace", "unknown emission 9"}},
		{Session(1500 * 1000).Grace(1), []string{"gap", "grace"}},
		{Session(ms).Emit(OnTime).Early(ms), nil},
		{Session(ms).Early(ms), []string{"early results go with OnClose or OnTime; on-commit"}},
		{Session(ms).Emit(OnClose).Early(0), []string{"early results must be positive"}},
		{Sliding(ms).Emit(OnTime).Early(ms), nil},
		{Sliding(ms).Emit(OnUpdate).Early(ms), []string{"early results go with OnClose or OnTime; on-update"}},
		{Sliding(ms).Emit(OnTime).Early(-ms), []string{"early results must be positive"}},
		{SlidingWindows{}, []string{"difference"}},
		{Sliding(-ms).Grace(-ms).Emit(9), []string{"difference", "grace", "unknown emission 9"}},
	}
	for _, tt := range tests {
		err := tt.w.Validate()
		if (err == nil) != (len(tt.want) == 0) {
			t.Errorf("%+v: got %v", tt.w, err)
		}
		for _, want := range tt.want {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: got %v, want a complaint with %q", tt.w, err, want)
			}
		}
	}
}

func TestSessionKeyBytes(t *testing.T) {
	codec, err := SessionKeySerde(serde.String).Bind(serde.Use{Role: serde.Key, Name: "sessions"})
	if err != nil {
		t.Fatal(err)
	}
	key := Key[string]{Key: "ab", Window: Window{Start: 1, End: 0x0203}}
	b, err := codec.Append([]byte("."), key)
	if err != nil || !bytes.Equal(b, []byte(".ab\x00\x00\x00\x00\x00\x00\x02\x03\x00\x00\x00\x00\x00\x00\x00\x01")) {
		t.Errorf("got %q, %v", b, err)
	}
	if got, err := codec.Decode(b[1:]); err != nil || got != key {
		t.Errorf("got %+v, %v", got, err)
	}
	if got := codec.(sessionKeyCodec[string]).PartitionKey(b[1:]); string(got) != "ab" {
		t.Errorf("partitioned by %q", got)
	}
	if _, err := codec.Decode(b[3:10]); err == nil {
		t.Error("a short key was decoded")
	}
	b[3+7] = 0
	b[3+6] = 0
	if _, err := codec.Decode(b[1:]); err == nil {
		t.Error("a session that ends before it starts was decoded")
	}
	if _, err := SessionKeySerde[string](nil).Bind(serde.Use{}); err == nil {
		t.Error("bound without a serde")
	}
}

// FuzzKeyedLists: what Decode accepts is written back to the same bytes, and nothing else is accepted.
func FuzzKeyedLists(f *testing.F) {
	sessions, err := sessionsSerde[string]{serde.String}.Bind(serde.Use{})
	if err != nil {
		f.Fatal(err)
	}
	slides, err := slidesSerde[string]{serde.String}.Bind(serde.Use{})
	if err != nil {
		f.Fatal(err)
	}
	a, _ := sessions.Append(nil, Sessions[string]{
		sent: []Window{{1, 1}}, open: []session[string]{{first: 1, last: 5, value: "ab", changed: true}, {first: 16, last: 16, known: true}},
	})
	b, _ := slides.Append(nil, Slides[string]{spans: []span[string]{{start: 0, end: 4, time: 3, value: "x", window: true}, {start: 4, end: 5, changed: true}}})
	for _, seed := range [][]byte{a, b, a[:len(a)-1], b[:20], {slidesFormat}, {sessionsFormat}, {}, {2}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if v, err := sessions.Decode(src); err == nil {
			if got, err := sessions.Append(nil, v); err != nil || !bytes.Equal(got, src) {
				t.Errorf("%x was written back as %x, %v", src, got, err)
			}
		}
		if v, err := slides.Decode(src); err == nil {
			if got, err := slides.Append(nil, v); err != nil || !bytes.Equal(got, src) {
				t.Errorf("%x was written back as %x, %v", src, got, err)
			}
		}
	})
}

// TestKeyedListBytes holds the formats.
func TestKeyedListBytes(t *testing.T) {
	sessions, _ := sessionsSerde[string]{serde.String}.Bind(serde.Use{})
	got, err := sessions.Append(nil, Sessions[string]{sent: []Window{{3, 4}}, open: []session[string]{{first: 1, last: 5, value: "ab", changed: true}}})
	if want := "\x02\x00\x00\x00\x01" + "\x00\x00\x00\x00\x00\x00\x00\x03" + "\x00\x00\x00\x00\x00\x00\x00\x04" +
		"\x00\x00\x00\x00\x00\x00\x00\x01" + "\x00\x00\x00\x00\x00\x00\x00\x05" + "\x02" + "\x00\x00\x00\x02ab"; err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	slides, _ := slidesSerde[string]{serde.String}.Bind(serde.Use{})
	got, err = slides.Append(nil, Slides[string]{spans: []span[string]{{start: 1, end: 5, time: 4, value: "ab", window: true}}})
	if want := "\x01" + "\x00\x00\x00\x00\x00\x00\x00\x01" + "\x00\x00\x00\x00\x00\x00\x00\x05" + "\x00\x00\x00\x00\x00\x00\x00\x04" + "\x01" + "\x00\x00\x00\x02ab"; err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	for _, bad := range []string{"", "\x02", "\x01x", string(got[:len(got)-1]), string(got) + string(got[1:])} {
		if _, err := slides.Decode([]byte(bad)); err == nil {
			t.Errorf("%q was decoded", bad)
		}
	}
	whole, _ := sessions.Append(nil, Sessions[string]{sent: []Window{{3, 4}}})
	for _, bad := range []string{"", "\x01", "\x02\x00\x00", string(whole[:len(whole)-1]), "\x02\xff\xff\xff\xff" + string(whole[5:]),
		string(whole) + "x", string(whole[:12]) + "\x05" + string(whole[13:])} {
		if _, err := sessions.Decode([]byte(bad)); err == nil {
			t.Errorf("%q was decoded as sessions", bad)
		}
	}
}
