package reset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/millrace/millrace/state"
)

// doomedSuffix marks a state directory that is being removed. No application id
// has this character, so no other directory is called so.
const doomedSuffix = "~reset"

// findState looks whether there is local state to remove, and that nobody uses
// it.
func (p *Plan) findState() error {
	dir := p.cfg.StateDir
	if dir == "" {
		return nil
	}
	for _, name := range []string{dir, dir + doomedSuffix} {
		switch _, err := os.Stat(name); {
		case err == nil:
			p.StateDir = dir
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("look for local state: %w", err)
		}
	}
	if p.StateDir == "" {
		return nil
	}
	disk, err := p.lockState()
	if disk == nil {
		return err
	}
	return disk.Close()
}

// lockState takes the state directory, so that no process of the application
// can; nil if it is gone.
func (p *Plan) lockState() (*state.Disk, error) {
	if p.StateDir == "" {
		return nil, nil
	}
	if _, err := os.Stat(p.StateDir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	disk, err := state.OpenDisk(p.StateDir, p.ApplicationID, state.DiskOptions{})
	if err != nil {
		return nil, fmt.Errorf("local state: %w", err)
	}
	return disk, nil
}

// removeState removes the directory while disk holds its lock. It is moved out
// of the way first, so that half of it is never found by another process.
func (p *Plan) removeState(disk *state.Disk) error {
	doomed := p.StateDir + doomedSuffix
	err := os.RemoveAll(doomed) // an earlier reset may have been interrupted
	if err == nil && disk != nil {
		err = os.Rename(p.StateDir, doomed)
	}
	if err == nil {
		err = os.RemoveAll(doomed)
	}
	if err != nil {
		return fmt.Errorf("remove local state: %w", err)
	}
	return nil
}
