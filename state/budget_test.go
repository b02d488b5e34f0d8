package state

import "testing"

func TestBudget(t *testing.T) {
	b := budget{total: 1000}
	if n := b.share(); n != 1000 {
		t.Errorf("nobody has opened stores, and a share is %d", n)
	}
	b.open.Store(4)
	if n := b.share(); n != 250 {
		t.Errorf("a share is %d, want 250", n)
	}
	for bytes, want := range map[int]float64{0: 0, 250: 0, 500: 0.75} {
		if got := b.excess(bytes); got != want {
			t.Errorf("of %d bytes %g are to go, want %g", bytes, got, want)
		}
	}
	if got := b.excess(251); got < 0.5 || got > 0.51 {
		t.Errorf("of 251 bytes %g are to go, want about a half", got)
	}
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
	if n := a.budget.share(); n != 500 {
		t.Errorf("one of two tasks has %d of 1000 bytes", n)
	}
	for range 2 { // the second time it is closed already
		if err := b.Close(true); err != nil {
			t.Fatal(err)
		}
	}
	if n := a.budget.share(); n != 1000 {
		t.Errorf("the only task has %d of 1000 bytes", n)
	}
	if err := a.Close(true); err != nil {
		t.Fatal(err)
	}
}
