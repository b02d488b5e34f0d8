package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// classify wraps the sentinel that an error of the file system or of Pebble amounts to, if any, or says what to do.
func classify(err error) error {
	switch {
	case err == nil:
		return nil
	case pebble.IsCorruptionError(err):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	case vfs.IsNoSpaceError(err), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: the disk is full; free space on it, or move the directory to a larger one, and start again", err)
	case errors.Is(err, syscall.EIO):
		return fmt.Errorf("%w: the disk is failing; check it, or move to another one, and start again", err)
	}
	return err
}

// classifyOpen is classify for the opening of a database. Pebble does not mark every damage it meets there (an
// OPTIONS file that does not parse, a file that is missing), so what is no error of the operating system counts as
// damage too. That is safe: the answer to damage is a rebuild, which loses nothing but time.
func classifyOpen(dir string, err error) error {
	var errno syscall.Errno
	switch {
	case pebble.IsCorruptionError(err), errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	case strings.Contains(err.Error(), "unknown format major version"):
		// Pebble has no sentinel for this one.
		err = fmt.Errorf("%w: %w", ErrNewerFormat, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		err = fmt.Errorf("%w: %w", ErrReadOnly, err)
	case !errors.As(err, &errno):
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return fmt.Errorf("open %s: %w", dir, err)
}

// classifyLock tells a lock held by somebody else from a directory where no lock file can be made.
func classifyLock(path string, err error) error {
	var (
		atPath *fs.PathError
		errno  syscall.Errno
	)
	switch {
	case errors.As(err, &atPath):
		return fmt.Errorf("lock: %w", classify(err))
	case errors.As(err, &errno) && errno != syscall.EAGAIN && errno != syscall.EACCES:
		return fmt.Errorf("lock %s: %w", path, err)
	}
	return fmt.Errorf("lock %s: %w: %w", path, ErrLocked, err)
}
