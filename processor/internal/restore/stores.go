package restore

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/state"
)

// errUnusable says that a state cannot be brought up to date and has to be built
// anew.
var errUnusable = errors.New("the local state cannot be used")

// open opens the stores if they are not open yet; what cannot be opened because
// it is damaged is put aside, for the changelogs have it all.
func (r *Restorer) open(t *TaskState) error {
	if t.Stores != nil || len(t.Sub.Stores) == 0 {
		return nil
	}
	name, id := t.ID.String(), state.Identity{ApplicationID: r.cfg.ApplicationID, Task: t.ID.String()}
	stores, err := r.cfg.Storage.Open(name, id, t.Sub.Stores)
	if errors.Is(err, state.ErrCorrupt) {
		r.note(fmt.Errorf("its state is damaged and is built anew from the changelogs: %w", err))
		r.current.Restored.Rebuilt = true
		if err := r.cfg.Storage.Quarantine(name); err != nil {
			return fmt.Errorf("put its damaged state aside: %w: %w", err, broker.ErrPermanent)
		}
		stores, err = r.cfg.Storage.Open(name, id, t.Sub.Stores)
	}
	if errors.Is(err, state.ErrLocked) { // another worker of the process has yet to hear that it lost the task
		return fmt.Errorf("open its state: %w", err)
	}
	if errors.Is(err, state.ErrMeaning) {
		return changedMeaning("task "+t.ID.String(), err)
	}
	if err != nil {
		return fmt.Errorf("open its state: %w: %w", err, broker.ErrPermanent)
	}
	t.Stores = stores
	return nil
}

// discard puts a state aside that is of no use, once. What is built anew from
// the whole changelog and still does not fit is beyond repair.
func (r *Restorer) discard(t *TaskState, reason error) error {
	if err := t.Close(false); err != nil {
		r.note(err)
	}
	if r.current.discarded {
		return fmt.Errorf("%w; building it anew did not help: %w", reason, broker.ErrReset)
	}
	r.current.discarded, r.current.Restored.Rebuilt = true, true
	r.note(fmt.Errorf("its state is built anew from the changelogs: %w", reason))
	if err := r.cfg.Storage.Quarantine(t.ID.String()); err != nil {
		return fmt.Errorf("put its state aside: %w: %w", err, broker.ErrPermanent)
	}
	return nil
}

// storeFailed sorts errors of the state: what a new attempt on reopened stores
// can heal, what building anew heals, and what nothing heals.
func storeFailed(t *TaskState, err error) error {
	switch {
	case unusable(err):
		return err
	case errors.Is(err, state.ErrMeaning):
		return changedMeaning("task "+t.ID.String(), err)
	case errors.Is(err, state.ErrForeign), errors.Is(err, state.ErrNewerFormat):
		return fmt.Errorf("%w: %w", err, broker.ErrPermanent)
	}
	return errors.Join(err, t.Close(false))
}

func unusable(err error) bool {
	return errors.Is(err, errUnusable) || errors.Is(err, state.ErrCorrupt)
}

// changedMeaning refuses state that was written with another meaning. Nothing was
// changed: the version that wrote it can go on.
func changedMeaning(where string, err error) error {
	return fmt.Errorf("%s: the state is kept as another version of the application wrote it, and this one would read it as something else: %w; go back to that version, or give the operator another name, under which it begins empty (what is kept under this one and was not sent is not sent then), or: %w", where, err, broker.ErrReset)
}
