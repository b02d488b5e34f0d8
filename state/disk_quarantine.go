package state

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/millrace/millrace/state/internal/engine"
)

// Quarantine implements Storage.
func (d *Disk) Quarantine(task string) error {
	if err := d.take(task, "quarantine"); err != nil {
		return err
	}
	defer d.release(task)
	aside, err := d.quarantined(task)
	if err == nil && len(aside) >= quarantinedMax {
		err = d.volume.Remove(aside[0].name)
	}
	if err == nil {
		n := 1
		if len(aside) > 0 {
			n = aside[len(aside)-1].number + 1
		}
		err = d.volume.Move(filepath.Join(tasksDir, task), filepath.Join(quarantineDir, fmt.Sprintf("%s.%d", task, n)))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return advise(d.volume.Dir(), err)
	}
	return nil
}

// asideCopy is one quarantined copy of a task.
type asideCopy struct {
	name   string // in the volume
	number int
}

// quarantined lists the copies of a task, oldest first.
func (d *Disk) quarantined(task string) ([]asideCopy, error) {
	names, err := d.volume.List(quarantineDir)
	if err != nil {
		return nil, err
	}
	var found []asideCopy
	for _, name := range names {
		number, ok := strings.CutPrefix(name, task+".")
		n, err := strconv.Atoi(number)
		if !ok || err != nil {
			continue
		}
		at := len(found)
		for at > 0 && found[at-1].number > n {
			at--
		}
		found = append(found, asideCopy{})
		copy(found[at+1:], found[at:])
		found[at] = asideCopy{name: filepath.Join(quarantineDir, name), number: n}
	}
	return found, nil
}

// acquit deletes the quarantined copies of a task once its rebuilt state is safe on disk.
func (d *Disk) acquit(task string, e engine.Engine) error {
	aside, err := d.quarantined(task)
	if err != nil || len(aside) == 0 {
		return err
	}
	if err := e.Flush(); err != nil {
		return err
	}
	for _, c := range aside {
		if err := d.volume.Remove(c.name); err != nil {
			return err
		}
	}
	return nil
}
