package state

import "testing"

// What Each shows is valid during the call, whatever the callback reads meanwhile.
func TestReadingWithinEachKeepsTheValueShown(t *testing.T) {
	for name, read := range map[string]func(w *WindowStore[int64]) error{
		"Each": func(w *WindowStore[int64]) error {
			return w.Each(2, func([]byte, *int64) error { return nil })
		},
		"Peek": func(w *WindowStore[int64]) error {
			_, _, err := w.Peek(2, []byte("k"))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			storage := NewMemory()
			s := open(t, storage)
			w := openWindows(t, s)
			for start := range int64(3) {
				v, _, err := w.Slot(start, []byte("k"))
				if err != nil {
					t.Fatal(err)
				}
				*v = start
			}
			commitAll(t, s, at(1))
			closeAll(t, closer{s})
			storage.budget.total = 0 // nothing that is read is kept
			w = openWindows(t, open(t, storage))
			shown := 0
			err := w.Each(1, func(_ []byte, v *int64) error {
				err := read(w)
				if shown++; *v != 1 {
					t.Errorf("after reading window 2 the value of window 1 is %d", *v)
				}
				return err
			})
			if err != nil || shown != 1 {
				t.Errorf("window 1 showed %d entries, %v", shown, err)
			}
		})
	}
}
