package processor

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/state"
)

// How long a start waits for a state directory that is in use, and how often it
// tries. A process that was killed holds its lock until the system is done with
// it, and whoever restarts it may be faster.
const (
	lockPatience = 5 * time.Second
	lockPause    = 100 * time.Millisecond
)

// openState opens the state directory of the application.
func (a *App) openState(ctx context.Context) (*state.Disk, error) {
	dir := filepath.Join(a.cfg.StateDir, a.cfg.ApplicationID)
	w := lockWait{
		try: func() (*state.Disk, error) {
			return state.OpenDisk(dir, a.cfg.ApplicationID, state.DiskOptions{MemoryBytes: a.cfg.StateMemory})
		},
		pause: broker.Sleep, tell: a.warn,
	}
	return w.open(ctx)
}

// A lockWait opens a state directory that another process may still have. It
// counts its pauses and reads no clock.
type lockWait struct {
	try   func() (*state.Disk, error)
	pause func(context.Context, time.Duration) bool // false: ctx has ended
	tell  func(error)
}

func (w *lockWait) open(ctx context.Context) (*state.Disk, error) {
	for waited := time.Duration(0); ; waited += lockPause {
		disk, err := w.try()
		switch {
		case err == nil:
			return disk, nil
		case !errors.Is(err, state.ErrLocked):
			return nil, fmt.Errorf("processor: %w", err)
		case waited == 0:
			w.tell(fmt.Errorf("waits up to %v for a state directory that is in use: %w", lockPatience, err))
		}
		if waited >= lockPatience || !w.pause(ctx, lockPause) {
			return nil, fmt.Errorf("processor: waited %v: %w", waited, err)
		}
	}
}
