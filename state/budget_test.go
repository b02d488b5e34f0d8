package state

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestShare(t *testing.T) {
	s := share{budget: &budget{total: 1000}}
	if n := s.limit(); n != 1000 {
		t.Errorf("nobody has opened stores, and a share is %d", n)
	}
	s.open.Store(4)
	if n := s.limit(); n != 250 {
		t.Errorf("a share is %d, want 250", n)
	}
	for bytes, want := range map[int]float64{0: 0, 250: 0, 500: 0.75} {
		if got := s.excess(bytes, lookups{}); got != want {
			t.Errorf("of %d bytes %g are to go, want %g", bytes, got, want)
		}
	}
	if got := s.excess(251, lookups{}); got < 0.5 || got > 0.51 {
		t.Errorf("of 251 bytes %g are to go, want about a half", got)
	}
}

// A full overlay that lacks most of what is looked for keeps a quarter, until it has most of it again.
func TestShareIsJudgedWhenFull(t *testing.T) {
	s := share{budget: &budget{total: 1000}}
	for _, step := range []struct {
		bytes  int
		seen   lookups
		modest bool
		why    string
	}{
		{1000, lookups{2000, 2000}, false, "all was read, but it still fits"},
		{1001, lookups{2001, 1000}, false, "half of it was found"},
		{1001, lookups{2900, 1899}, false, "too few to say"},
		{1001, lookups{4002, 2001}, true, "one more was read than found"},
		{250, lookups{9000, 2001}, true, "not full"},
		{251, lookups{9000, 2001}, false, "most was found"},
	} {
		if s.excess(step.bytes, step.seen); s.modest != step.modest {
			t.Errorf("%d bytes, %+v: modest is %v: %s", step.bytes, step.seen, s.modest, step.why)
		}
	}
}

// What a task does not use of its share is lent, but for a quarter.
func TestShareIsLent(t *testing.T) {
	lent := 750
	b := &budget{total: 1000, reserve: func(bytes int) func() {
		lent -= bytes
		return func() { lent += bytes }
	}}
	s := share{budget: b}
	step := 1000 / lentSteps
	for _, c := range []struct{ uses, open, lent int }{
		{0, 1, 750}, {250, 1, 750}, {251, 1, 750 - step}, {250 + 2*step, 1, 750 - 2*step}, {999, 1, 0}, {5000, 1, 0},
		{5000, 2, 375}, {125, 2, 750}, {600, 1, 400},
	} {
		b.open.Store(int64(c.open))
		if s.use(c.uses); lent < c.lent-step || lent > c.lent || lent < 0 && c.lent > 0 {
			t.Errorf("one of %d uses %d of 1000 bytes, and %d are lent; want %d", c.open, c.uses, lent, c.lent)
		}
	}
	if s.lend(); lent != 750 {
		t.Errorf("%d bytes are lent at the end, want 750", lent)
	}
}

// Keys of which each comes as often as any other are not worth the memory of an overlay that holds few of them; a few
// keys that come most of the time are.
func TestOverlayIsWorthItsMemoryOrSmall(t *testing.T) {
	for name, touch := range map[string]func(kv *KeyValueStore[string, string], key string) error{
		"Slot": func(kv *KeyValueStore[string, string], key string) error {
			v, _, err := kv.Slot([]byte(key))
			if err == nil {
				*v = "value"
			}
			return err
		},
		"Get and Put": func(kv *KeyValueStore[string, string], key string) error {
			_, _, err := kv.Get(key)
			return errors.Join(err, kv.Put(key, "value"))
		},
	} {
		t.Run(name, func(t *testing.T) { overlayIsWorthItsMemoryOrSmall(t, touch) })
	}
}

func overlayIsWorthItsMemoryOrSmall(t *testing.T, touch func(kv *KeyValueStore[string, string], key string) error) {
	d, err := OpenDisk(t.TempDir(), "app", DiskOptions{OverlayBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, d)
	kv, err := openKV(s)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	commits := func(hot int) {
		for offset := range 60 {
			for range 500 {
				n := random.IntN(10_000)
				if random.IntN(10) < 8 {
					n %= hot
				}
				if err := touch(kv, fmt.Sprint(n)); err != nil {
					t.Fatal(err)
				}
			}
			commitAll(t, s, at(int64(offset)))
		}
	}
	for _, part := range []struct {
		hot    int
		modest bool
	}{{10_000, true}, {50, false}, {10_000, true}} {
		if commits(part.hot); s.share.modest != part.modest {
			t.Errorf("most look-ups are for one of %d keys, and modest is %v", part.hot, s.share.modest)
		}
		if n := s.overlayBytes(); n > 2*s.share.equal() {
			t.Errorf("%d bytes are kept, the share is %d", n, s.share.equal())
		}
	}
	closeAll(t, closer{s}, d)
}

// The cache of a disk has what its tasks do not use, while they do not use it.
func TestDiskLendsItsCacheWhatIsNotUsed(t *testing.T) {
	opt := DiskOptions{MemoryBytes: 1 << 20}.withDefaults()
	if s := opt.sizes(); s.BlockCacheBytes != 512<<10 || s.LentBytes != 384<<10 {
		t.Errorf("of a MiB the cache has %d bytes and %d that are lent", s.BlockCacheBytes, s.LentBytes)
	}
	d, err := OpenDisk(t.TempDir(), "app", opt)
	if err != nil {
		t.Fatal(err)
	}
	taken, reserve := 0, d.budget.reserve
	d.budget.reserve = func(bytes int) func() {
		release := reserve(bytes)
		taken += bytes
		return func() { release(); taken -= bytes }
	}
	s := open(t, d)
	kv, err := openKV(s)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4000 {
		if err := kv.Put(fmt.Sprint(i), "value"); err != nil {
			t.Fatal(err)
		}
	}
	commitAll(t, s, at(1))
	if uses := s.overlayBytes(); uses <= 128<<10 || taken < uses-128<<10 {
		t.Errorf("%d bytes are used and %d are taken back from the cache", uses, taken)
	}
	if closeAll(t, closer{s}); taken != 0 {
		t.Errorf("after the task is closed %d bytes are not lent", taken)
	}
	closeAll(t, d)
}

// Tasks share the memory while they are open.
func TestStoresShareTheMemory(t *testing.T) {
	d, err := OpenDisk(t.TempDir(), "app", DiskOptions{OverlayBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	a, err := d.Open("0_0", Identity{ApplicationID: "app", Task: "0_0"}, []Spec{{Name: "s", Kind: KeyValue}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.Open("0_1", Identity{ApplicationID: "app", Task: "0_1"}, []Spec{{Name: "s", Kind: KeyValue}})
	if err != nil {
		t.Fatal(err)
	}
	if n := a.share.equal(); n != 500 {
		t.Errorf("one of two tasks has %d of 1000 bytes", n)
	}
	for range 2 { // the second time it is closed already
		if err := b.Close(true); err != nil {
			t.Fatal(err)
		}
	}
	if n := a.share.equal(); n != 1000 {
		t.Errorf("the only task has %d of 1000 bytes", n)
	}
	if err := a.Close(true); err != nil {
		t.Fatal(err)
	}
}
