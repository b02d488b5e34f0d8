package demo

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/millrace/millrace/testdata"
)

// maxLine bounds a line, so that it fits into one Kafka record.
const maxLine = 900 << 10

// A Log is an access log to be read once, line by line.
type Log struct {
	Name    string
	closer  io.Closer
	scanner *bufio.Scanner
	line    int64
}

// openLog opens a file, or the log that comes with Millrace if path is empty.
func openLog(path string) (*Log, error) {
	if path == "" {
		return newLog("web_access.log", io.NopCloser(strings.NewReader(testdata.WebAccessLog()))), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--input: %w", err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		_ = f.Close() // it was only looked at
		return nil, fmt.Errorf("--input: %s is a directory; name a file in the common or combined log format", path)
	}
	return newLog(filepath.Base(path), f), nil
}

func newLog(name string, r io.ReadCloser) *Log {
	l := &Log{Name: name, closer: r, scanner: bufio.NewScanner(r)}
	l.scanner.Buffer(nil, maxLine)
	return l
}

// Next returns the next line without its ending, io.EOF after the last one. The
// bytes are valid until the next call.
func (l *Log) Next() ([]byte, error) {
	if l.scanner.Scan() {
		l.line++
		return l.scanner.Bytes(), nil
	}
	switch err := l.scanner.Err(); {
	case err == nil:
		return nil, io.EOF
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("%s: line %d is longer than %d bytes; is it an access log?", l.Name, l.line+1, maxLine)
	default:
		return nil, fmt.Errorf("%s: line %d: %w", l.Name, l.line+1, err)
	}
}

// Close closes the file.
func (l *Log) Close() error { return l.closer.Close() }
