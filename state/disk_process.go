package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
)

// process is the content of process.json.
type process struct {
	Format        int    `json:"format"`
	ApplicationID string `json:"application_id"`
	ProcessID     string `json:"process_id"`
}

// advise adds to an error of a state directory what to do about it.
func advise(dir string, err error) error {
	next := "check the disk and its permissions"
	switch {
	case errors.Is(err, ErrLocked):
		next = "another process has the directory open: stop it, or give this one a directory of its own"
	case errors.Is(err, ErrOtherApplication):
		next = "give each application a directory of its own"
	case errors.Is(err, ErrReadOnly):
		next = "the directory must be writable: check its owner, its mode and how the disk is mounted"
	case errors.Is(err, ErrNewerFormat):
		next = "run the newer version again, or delete the directory to rebuild from the changelogs"
	case errors.Is(err, ErrCorrupt):
		next = "delete the directory to rebuild from the changelogs"
	}
	return fmt.Errorf("state: directory %s: %w; %s", dir, err, next)
}

// identify checks the directory's process.json, or writes it.
func (d *Disk) identify(applicationID string) error {
	b, err := d.volume.Read(processFile)
	if errors.Is(err, fs.ErrNotExist) {
		d.process = process{Format: diskFormat, ApplicationID: applicationID, ProcessID: newProcessID()}
		b, err := json.Marshal(d.process)
		if err != nil {
			return fmt.Errorf("%s: %w", processFile, err)
		}
		return d.volume.Write(processFile, append(b, '\n'))
	}
	if err != nil {
		return err
	}
	d.process, err = decodeProcess(b)
	if err != nil {
		return err
	}
	if d.process.ApplicationID != applicationID {
		return fmt.Errorf("%w: it belongs to %q, this is %q", ErrOtherApplication, d.process.ApplicationID, applicationID)
	}
	return nil
}

func decodeProcess(b []byte) (process, error) {
	var p process
	if err := json.Unmarshal(b, &p); err != nil {
		return p, fmt.Errorf("%s: %w: %w", processFile, ErrCorrupt, err)
	}
	if p.Format > diskFormat {
		return p, fmt.Errorf("%s: %w: format %d, this version knows %d", processFile, ErrNewerFormat, p.Format, diskFormat)
	}
	if p.Format != diskFormat || p.ProcessID == "" {
		return p, fmt.Errorf("%s: %w: it lacks its format or its process id", processFile, ErrCorrupt)
	}
	return p, nil
}
