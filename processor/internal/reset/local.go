package reset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/millrace/millrace/state"
)

// doomedSuffix marks a state directory that is being removed. No application id
// has this character, so no other directory is called so.
const doomedSuffix = "~reset"

// Local state is the application's only where its directory bears the
// application's mark and holds nothing else: see state.Remains. That is looked at
// when the plan is made, which changes nothing, and again when it is executed:
// before anything is deleted in the cluster, and once more before the directory
// is moved out of the way, and before what it holds is removed there.

// findState looks whether there is local state to remove, and that nobody uses
// it.
func (p *Plan) findState() error {
	if p.cfg.StateDir == "" {
		return nil
	}
	for _, dir := range []string{p.cfg.StateDir, p.cfg.StateDir + doomedSuffix} {
		remains, err := p.remains(dir)
		if err == nil && remains != nil {
			p.StateDir = p.cfg.StateDir
			err = remains.InUse()
		}
		if err != nil {
			return fmt.Errorf("local state: %w", err)
		}
	}
	return nil
}

// remains is what the application has left in dir; nil is nothing.
func (p *Plan) remains(dir string) (*state.Remains, error) {
	above := filepath.Dir(dir)
	info, err := os.Lstat(above)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		to, _ := filepath.EvalSymlinks(above) // only for the text
		return nil, fmt.Errorf("the state directory %s is a symbolic link, to %s: name the directory itself", above, to)
	}
	return state.FindRemains(dir, p.ApplicationID)
}

// lockState takes the state directory, so that no process of the application
// can, and looks again what is in it. What is returned lets it go.
func (p *Plan) lockState() (release func(), err error) {
	release = func() {}
	if p.StateDir == "" {
		return release, nil
	}
	for _, dir := range []string{p.StateDir + doomedSuffix, p.StateDir} {
		remains, err := p.remains(dir)
		if err == nil && remains != nil && dir == p.StateDir {
			release, err = p.lock(remains)
		}
		if err != nil {
			return release, fmt.Errorf("local state: %w", err)
		}
	}
	return release, nil
}

func (p *Plan) lock(remains *state.Remains) (release func(), err error) {
	l, err := remains.Lock()
	if err != nil {
		return func() {}, err
	}
	release = func() { _ = l.Close() } // of a file that may be gone
	if _, err := p.remains(p.StateDir); err != nil {
		release()
		return func() {}, err
	}
	return release, nil
}

// removeState removes the directory while its lock is held, and reports whether
// there was one. It is moved out of the way first, so that half of it is never
// found by another process.
func (p *Plan) removeState() (removed bool, err error) {
	if p.StateDir == "" {
		return false, nil
	}
	doomed := p.StateDir + doomedSuffix
	removed, err = p.removeDoomed(doomed) // an earlier reset may have been interrupted
	if err == nil {
		var remains *state.Remains
		if remains, err = p.remains(p.StateDir); err == nil && remains != nil {
			err = os.Rename(p.StateDir, doomed)
		}
	}
	if err == nil {
		var moved bool
		moved, err = p.removeDoomed(doomed)
		removed = removed || moved
	}
	if err != nil {
		return removed, fmt.Errorf("remove local state: %w", err)
	}
	return removed, nil
}

// removeDoomed removes a directory that was moved out of the way, also where it is
// empty by now.
func (p *Plan) removeDoomed(doomed string) (removed bool, err error) {
	remains, err := p.remains(doomed)
	if err != nil {
		return false, err
	}
	if remains != nil {
		return true, remains.Remove()
	}
	if err := os.Remove(doomed); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return false, nil
}
