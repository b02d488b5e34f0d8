package suppress_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/schemaregistry/serde/serdetest"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
	"github.com/millrace/millrace/windowing/suppress"
)

var heldStore = state.KV[[]byte, suppress.Held]{Name: "held", Key: serde.Bytes, Value: suppress.HeldSerde()}

// suppressing is a suppressor over a store in memory. It notes what is sent.
type suppressing struct {
	t       *testing.T
	config  windowing.Suppression
	storage *state.Memory
	stores  *state.Stores
	held    *suppress.Suppressor
	sent    []string
	late    bool // changes may be below what was passed
	passed  windowing.EventTime
	stored  windowing.EventTime // passed at the last commit
}

func newSuppressing(t *testing.T, config windowing.Suppression) *suppressing {
	t.Helper()
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	s := &suppressing{t: t, config: config, storage: state.NewMemory(), stored: windowing.NoTime}
	s.open()
	return s
}

func (s *suppressing) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *suppressing) Stores() *state.Stores { return s.stores }

// open opens the stores, as a restart does.
func (s *suppressing) open() {
	s.t.Helper()
	var err error
	s.stores, err = s.storage.Open("0_0", state.Identity{ApplicationID: "app", Task: "0_0"}, []state.Spec{heldStore.Spec()})
	s.must(err)
	s.build()
}

// build makes the suppressor anew over the open stores, as an abort does.
func (s *suppressing) build() {
	s.t.Helper()
	store, err := heldStore.Open(s)
	s.must(err)
	s.held, err = suppress.New(s.config, store, s.send)
	s.must(err)
	if s.passed = s.held.Passed(); s.passed != s.stored {
		s.t.Fatalf("goes on from %d, at the commit %d was passed", s.passed, s.stored)
	}
}

// send also sees that what is sent is not judged by less than was passed before.
func (s *suppressing) send(key []byte, h *suppress.Held) error {
	before := s.passed
	if s.passed = s.held.Passed(); s.passed < before {
		return fmt.Errorf("%s @%d is sent at %d, but %d was passed before", key, h.Time, s.passed, before)
	}
	if h.Time < s.held.Passed() && !s.late {
		return fmt.Errorf("%s @%d is below the %d that was passed", key, h.Time, s.held.Passed())
	}
	s.sent = append(s.sent, change{string(key), string(h.Value), h.Gone, h.Time}.String())
	return nil
}

func (s *suppressing) commit() {
	s.t.Helper()
	s.stored = s.held.Passed()
	entries, err := s.stores.Prepare(nil, "")
	s.must(err)
	next := int64(-1)
	if len(entries) > 0 {
		next = s.stores.ChangelogNext(heldStore.Name) + int64(len(entries))
	}
	s.must(s.stores.Apply([]int64{next}, 0))
}

// drain returns what was sent since the last call.
func (s *suppressing) drain() string {
	sent := strings.Join(s.sent, " ")
	s.sent = nil
	return sent
}

type change struct {
	key, value string
	gone       bool
	at         windowing.EventTime
}

func (c change) String() string {
	if c.gone {
		c.value = "gone"
	}
	return fmt.Sprintf("%s=%s@%d", c.key, c.value, c.at)
}

func (s *suppressing) change(c change) {
	s.t.Helper()
	s.must(s.held.Change([]byte(c.key), []byte(c.value), c.gone, c.at))
	s.passed = max(s.passed, s.held.Passed())
}

// TestSuppressor is the table of SEMANTICS.md.
func TestSuppressor(t *testing.T) {
	s := newSuppressing(t, windowing.UntilTimeLimit(10*time.Millisecond, windowing.EmitEarly).MaxRecords(3))
	for _, step := range []struct {
		change
		merged windowing.EventTime
		sent   string
		due    windowing.EventTime
		passed windowing.EventTime
	}{
		{change{"b", "1", false, 0}, 0, "", 10, 0},
		{change{"a", "1", false, 0}, 0, "", 10, 0},
		{change{"a", "2", false, 9}, 9, "", 10, 0},                                // the limit runs on
		{change{"b", "", true, 10}, 10, "a=2@9 b=gone@10", windowing.MaxTime, 10}, // the change first, then what is due; ties by key
		{change{"c", "1", false, 15}, 13, "", 25, 13},
		{change{"c", "2", false, 14}, 13, "", 25, 13},
		{change{"d", "1", false, 16}, 16, "", 25, 14}, // c is sent with the time of its latest change
		{change{"e", "1", false, 17}, 17, "", 25, 14},
		{change{"d", "2", false, 18}, 18, "", 25, 14},       // it has its room
		{change{"f", "1", false, 18}, 18, "c=2@14", 26, 16}, // no room: who has waited longest
		{change{"g", "1", false, 3}, 18, "g=1@3", 26, 16},   // late as it is, it is due at once
	} {
		s.late = step.at < s.held.Passed()
		s.change(step.change)
		s.must(s.held.Advance(step.merged))
		s.passed = max(s.passed, s.held.Passed())
		if got := s.drain(); got != step.sent || s.held.Due() != step.due || s.held.Passed() != step.passed {
			t.Errorf("%v: sent %q, due %d, passed %d, want %q, %d, %d", step.change, got, s.held.Due(), s.held.Passed(), step.sent, step.due, step.passed)
		}
		s.commit()
	}
	s.must(s.held.Advance(windowing.MaxTime))
	expectSent(t, s, "d=2@18 e=1@17 f=1@18")
	if s.held.Due() != windowing.MaxTime || s.held.Passed() != windowing.MaxTime {
		t.Errorf("at the end: due %d, passed %d", s.held.Due(), s.held.Passed())
	}
}

func TestSuppressorWithoutRoom(t *testing.T) {
	bytes := windowing.UntilTimeLimit(time.Second, windowing.EmitEarly).MaxBytes(8)
	s := newSuppressing(t, bytes)
	s.change(change{"a", "123", false, 0})
	s.change(change{"b", "123", false, 1})
	s.change(change{"b", "12", false, 2}) // the size goes down
	s.change(change{"c", "", false, 3})
	expectSent(t, s, "")
	s.change(change{"c", "1", false, 4})
	expectSent(t, s, "a=123@0")
	s.change(change{"d", "12345678", false, 5}) // alone it is too much
	expectSent(t, s, "b=12@2 c=1@4 d=12345678@5")

	s = newSuppressing(t, windowing.UntilTimeLimit(time.Second, windowing.StopWhenFull).MaxRecords(1))
	s.change(change{"a", "1", false, 0})
	s.change(change{"a", "2", false, 0})
	err := s.held.Change([]byte("b"), []byte("1"), false, 0)
	if err == nil || !strings.Contains(err.Error(), "room for 1 keys (MaxRecords)") {
		t.Errorf("full: %v", err)
	}
	expectSent(t, s, "")
}

func expectSent(t *testing.T, s *suppressing, want string) {
	t.Helper()
	if got := s.drain(); got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
}

func TestHeldSerde(t *testing.T) {
	equal := func(a, b suppress.Held) bool {
		return a.Start == b.Start && a.Time == b.Time && a.Gone == b.Gone && string(a.Value) == string(b.Value)
	}
	serdetest.Run(t, suppress.HeldSerde(), []suppress.Held{
		{}, {Start: 1, Time: 2, Value: []byte("value")}, {Start: -1, Time: windowing.MaxTime - 1, Gone: true}, {Value: []byte{}},
	}, equal)
	codec, err := suppress.HeldSerde().Bind(serde.Use{Role: serde.State, Name: "held"})
	if err != nil {
		t.Fatal(err)
	}
	const golden = "\x00\x00\x00\x00\x00\x00\x01\x02\xff\xff\xff\xff\xff\xff\xff\xff\x00value"
	if b, err := codec.Append(nil, suppress.Held{Start: 0x102, Time: -1, Value: []byte("value")}); string(b) != golden || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	for _, wrong := range []string{"", strings.Repeat("\x00", 16), strings.Repeat("\x00", 16) + "\x02", strings.Repeat("\x00", 16) + "\x01x"} {
		if h, err := codec.Decode([]byte(wrong)); err == nil {
			t.Errorf("%q was read as %+v", wrong, h)
		}
	}
}

// naiveHeld is the definition of suppression without an index: a map of what
// waits.
type naiveHeld struct {
	limit   windowing.EventTime
	records int
	bytes   int
	waits   map[string]suppress.Held
	merged  windowing.EventTime
	sent    []string
}

func (n *naiveHeld) change(c change) {
	h, ok := n.waits[c.key]
	if !ok {
		h.Start = c.at
	}
	h.Time, h.Gone, h.Value = c.at, c.gone, nil
	if !c.gone {
		h.Value = []byte(c.value)
	}
	n.waits[c.key] = h
	n.fire()
}

func (n *naiveHeld) fire() {
	for len(n.waits) > 0 {
		size, first := 0, ""
		for _, key := range slices.Sorted(maps.Keys(n.waits)) {
			if size += len(key) + len(n.waits[key].Value); first == "" || n.waits[key].Start < n.waits[first].Start {
				first = key
			}
		}
		h := n.waits[first]
		if h.Start+n.limit > n.merged && len(n.waits) <= n.records && size <= n.bytes {
			return
		}
		delete(n.waits, first)
		n.sent = append(n.sent, change{first, string(h.Value), h.Gone, h.Time}.String())
	}
}

// TestSuppressorAgainstModel compares with the naive definition over random
// changes, aborts and restarts.
func TestSuppressorAgainstModel(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 7))
		limit, records, bytes := r.IntN(30), 1+r.IntN(6), 4+r.IntN(20)
		n := &naiveHeld{limit: windowing.EventTime(limit), records: records, bytes: bytes, waits: map[string]suppress.Held{}}
		s := newSuppressing(t, windowing.UntilTimeLimit(time.Duration(limit)*time.Millisecond, windowing.EmitEarly).MaxRecords(records).MaxBytes(bytes))
		s.must(s.held.Advance(0))
		saved, savedSent := maps.Clone(n.waits), 0
		savedMerged := n.merged
		for range 120 {
			switch r.IntN(12) {
			case 0:
				s.commit()
				saved, savedSent, savedMerged = maps.Clone(n.waits), len(n.sent), n.merged
			case 1: // an abort, or a restart without what was not committed
				s.stores.Discard()
				if r.IntN(2) == 0 {
					s.must(s.stores.Close(true))
					s.open()
				} else {
					s.build()
				}
				n.waits, n.sent, n.merged = maps.Clone(saved), n.sent[:savedSent], savedMerged
				s.sent = s.sent[:savedSent]
				s.must(s.held.Advance(n.merged))
			case 2:
				n.merged += windowing.EventTime(r.IntN(20))
				n.fire()
				s.must(s.held.Advance(n.merged))
			default:
				c := change{string(rune('a' + r.IntN(8))), strings.Repeat("v", r.IntN(4)), r.IntN(5) == 0, n.merged + windowing.EventTime(r.IntN(10))}
				if c.gone {
					c.value = ""
				}
				n.change(c)
				s.change(c)
			}
			if !slices.Equal(s.sent, n.sent) {
				t.Fatalf("seed %d: sent %q, want %q", seed, s.sent, n.sent)
			}
		}
	}
}
