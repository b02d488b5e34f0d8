package processor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/state"
)

// A lock is waited for as long as it is one, to the limit, and while the context
// lasts.
func TestLockIsWaitedFor(t *testing.T) {
	locked := fmt.Errorf("directory d: %w", state.ErrLocked)
	broken := errors.New("the disk is broken")
	most := int(lockPatience/lockPause) + 1
	for name, tt := range map[string]struct {
		locked int // tries that find it locked
		then   error
		pauses int // that the context lasts
		tries  int
		want   string // of the error; empty: opened
	}{
		"free":                       {0, nil, 99, 1, ""},
		"free after a while":         {7, nil, 99, 8, ""},
		"free at the last try":       {most - 1, nil, 99, most, ""},
		"never free":                 {most, nil, 99, most, "waited 5s: directory d"},
		"broken":                     {0, broken, 99, 1, "processor: the disk is broken"},
		"broken behind the lock":     {2, broken, 99, 3, "processor: the disk is broken"},
		"the context ends meanwhile": {most, nil, 3, 4, "waited 300ms: directory d"},
	} {
		t.Run(name, func(t *testing.T) {
			tries, told := 0, 0
			disk := new(state.Disk)
			w := lockWait{
				try: func() (*state.Disk, error) {
					if tries++; tries <= tt.locked {
						return nil, locked
					}
					if tt.then != nil {
						return nil, tt.then
					}
					return disk, nil
				},
				pause: func(context.Context, time.Duration) bool { tt.pauses--; return tt.pauses >= 0 },
				tell:  func(error) { told++ },
			}
			got, err := w.open(t.Context())
			if tries != tt.tries || told != min(tt.locked, 1) {
				t.Errorf("%d tries, told %d times; want %d tries", tries, told, tt.tries)
			}
			if tt.want == "" && (got != disk || err != nil) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
