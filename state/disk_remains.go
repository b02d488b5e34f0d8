package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/millrace/millrace/state/internal/engine"
)

// Remains are what an application has left in its state directory. To find them changes nothing on the disk, and
// nothing is removed that was not found:
//
//   - the directory has to bear the mark of the application, its process.json;
//   - everything in it has to be what a Disk makes, else there are none, with an error that names what is not;
//   - no symbolic link is followed, neither to the directory nor in it.
type Remains struct {
	dir     string   // absolute
	entries []string // relative to dir, what is in a directory before the directory; the mark is the last
}

// FindRemains looks for what the application has left in dir. It returns nil if there is no such directory, or nothing
// in it. Errors wrap ErrOtherApplication, ErrNewerFormat, ErrCorrupt or ErrForeign.
func FindRemains(dir, applicationID string) (*Remains, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("state: directory %s: %w", dir, err)
	}
	root, err := openUnlinked(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	defer root.Close()
	r := &Remains{dir: abs}
	if err := r.find(root, applicationID); err != nil {
		return nil, fmt.Errorf("state: directory %s: %w", abs, err)
	}
	if len(r.entries) == 0 {
		return nil, nil
	}
	return r, nil
}

// openUnlinked opens a directory that is not a symbolic link, and of which it stays sure afterwards.
func openUnlinked(dir string) (*os.Root, error) {
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, fmt.Errorf("%s is a symbolic link, and nothing is looked for or removed behind one: name the directory that it leads to", dir)
	case !info.IsDir():
		return nil, fmt.Errorf("%s is no directory", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	if opened, err := root.Stat("."); err != nil || !os.SameFile(info, opened) {
		return nil, errors.Join(fmt.Errorf("%s was replaced while it was looked at: try again", dir), err, root.Close())
	}
	return root, nil
}

// find lists what is there. The mark is looked for first: what is not the application's is not even listed.
func (r *Remains) find(root *os.Root, applicationID string) error {
	top, err := fs.ReadDir(root.FS(), ".")
	if err != nil || len(top) == 0 {
		return err
	}
	if err := checkMark(root, applicationID); err != nil {
		return err
	}
	err = fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		if !made(path, e) {
			return fmt.Errorf("%w: %s is there, which this application has not made: move it elsewhere, then try again", ErrForeign, path)
		}
		r.entries = append(r.entries, path)
		return nil
	})
	slices.Reverse(r.entries) // a directory comes before what is in it
	for _, last := range []string{lockFile, processFile} {
		if at := slices.Index(r.entries, last); at >= 0 {
			r.entries = append(slices.Delete(r.entries, at, at+1), last)
		}
	}
	return err
}

// checkMark fails where there is no mark of the application.
func checkMark(root *os.Root, applicationID string) error {
	info, err := root.Lstat(processFile)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: it is not empty and has no %s, so no application has made it; if it is to go, remove it by hand", ErrForeign, processFile)
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > noteMax {
		return fmt.Errorf("%w: %s is not the file that an application makes", ErrForeign, processFile)
	}
	b, err := root.ReadFile(processFile)
	if err != nil {
		return err
	}
	p, err := decodeProcess(b)
	if err != nil {
		return err
	}
	if p.ApplicationID != applicationID {
		return fmt.Errorf("%w: it belongs to %q, this is %q", ErrOtherApplication, p.ApplicationID, applicationID)
	}
	return nil
}

// databaseFile is what Pebble calls its files.
var databaseFile = regexp.MustCompile(`^([0-9]+\.(sst|log|blob)|(MANIFEST|OPTIONS)-[0-9]+|CURRENT|LOCK|marker\.[A-Za-z0-9.-]+|[A-Za-z]+\.[0-9]+\.dbtmp)$`)

// made reports whether an entry of a state directory is one that a Disk makes. See Disk for the layout; a name with a
// "~" behind it is a file that was being written.
func made(path string, e fs.DirEntry) bool {
	parts := strings.Split(path, "/")
	name := strings.TrimSuffix(parts[len(parts)-1], "~")
	directory, file := e.IsDir(), e.Type().IsRegular()
	switch {
	case len(parts) == 1 && path == lockFile:
		info, err := e.Info()
		return file && err == nil && info.Size() == 0
	case len(parts) == 1 && name == processFile:
		return file
	case len(parts) == 1:
		return directory && slices.Contains([]string{notesDir, tasksDir, quarantineDir}, path)
	case parts[0] == notesDir:
		return file && len(parts) == 2 && LegalName(name) == nil
	case len(parts) == 2:
		return directory && LegalName(parts[1]) == nil
	}
	return file && len(parts) == 3 && databaseFile.MatchString(parts[2])
}

// Lock keeps every process of the application out until it is closed, or fails with ErrLocked where one is in.
func (r *Remains) Lock() (io.Closer, error) {
	l, err := engine.LockFile(filepath.Join(r.dir, lockFile))
	if err != nil {
		return nil, advise(r.dir, err)
	}
	return l, nil
}

// InUse fails with ErrLocked where a process has the directory open. It makes no lock file where there is none.
func (r *Remains) InUse() error {
	if !slices.Contains(r.entries, lockFile) {
		return nil
	}
	l, err := r.Lock()
	if err != nil {
		return err
	}
	return l.Close()
}

// Remove removes exactly what was found, and the directory. What has come since keeps its directories, and fails it.
func (r *Remains) Remove() error {
	root, err := openUnlinked(r.dir)
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	defer root.Close()
	for _, path := range r.entries {
		if err := root.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("state: directory %s: %w; look what is in there, then try again", r.dir, err)
		}
	}
	if err := os.Remove(r.dir); err != nil {
		return fmt.Errorf("state: directory %s: %w; look what is in there, then try again", r.dir, err)
	}
	return nil
}
