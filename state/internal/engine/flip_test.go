package engine

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
)

const (
	flipKeys = 400
	// flipSamples is the number of bytes changed in each file.
	flipSamples = 64
)

func flipKey(i int) []byte   { return fmt.Appendf(nil, "key-%05d", i) }
func flipValue(i int) []byte { return fmt.Appendf(nil, "value-%d-%d", i, i*i) }

// flushedVolume returns a volume whose database "db" holds flipKeys pairs, flushed in two steps, closed.
func flushedVolume(t *testing.T) *Volume {
	t.Helper()
	v, e := crashable(t)
	for half := range 2 {
		b := e.NewBatch()
		for i := half; i < flipKeys; i += 2 {
			if err := b.Set(flipKey(i), flipValue(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(e.Apply(b), e.Flush()); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return v
}

// cloneFlipped copies the volume's files into a new one, with one byte of one file changed.
func (v *Volume) cloneFlipped(t *testing.T, file string, at int) *Volume {
	t.Helper()
	w, err := CrashableVolume(testSizes)
	if err != nil {
		t.Fatal(err)
	}
	names, err := v.List("db")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := v.Read(filepath.Join("db", name))
		if err != nil {
			t.Fatal(err)
		}
		if name == file {
			b[at] ^= 0x41
		}
		if err := w.Write(filepath.Join("db", name), b); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// readBack reads everything, once key by key and once in a scan. What it finds must be what some prefix of the two
// batches left, or it says what is wrong.
func readBack(e Engine) (wrong string, err error) {
	batches := 0
	for i := range 2 {
		_, ok, err := e.Get(nil, flipKey(i))
		if err != nil {
			return "", err
		}
		if ok {
			batches++
		}
	}
	want := map[string]string{}
	for i := range flipKeys {
		v, ok, err := e.Get(nil, flipKey(i))
		if err != nil {
			return "", err
		}
		if i%2 < batches {
			want[string(flipKey(i))] = string(flipValue(i))
		}
		if string(v) != want[string(flipKey(i))] || ok != (i%2 < batches) {
			return fmt.Sprintf("Get(%s) = %q, %v after %d batches", flipKey(i), v, ok, batches), nil
		}
	}
	err = e.Scan([]byte{0}, []byte{0xFF}, func(k, v []byte) error {
		if want[string(k)] != string(v) {
			wrong = fmt.Sprintf("Scan shows %q = %q after %d batches", k, v, batches)
		}
		delete(want, string(k))
		return nil
	})
	if err == nil && len(want) > 0 {
		wrong = fmt.Sprintf("Scan lacks %d keys after %d batches", len(want), batches)
	}
	return wrong, err
}

// Whatever byte of whatever file is damaged: either there is an error that wraps ErrCorrupt (or, where the byte is a
// version number, ErrNewerFormat), or what is read is the state after some prefix of the batches. The latter happens
// where the end of a manifest is damaged, which is what a crash does to it, too.
func TestFlippedByte(t *testing.T) {
	v := flushedVolume(t)
	names, err := v.List("db")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, name := range names {
		content, err := v.Read(filepath.Join("db", name))
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(content); at += len(content)/flipSamples + 1 {
			wrong, err := readFlipped(t, v, name, at)
			if wrong != "" {
				t.Errorf("%s, byte %d of %d: %s, without an error", name, at, len(content), wrong)
			}
			if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewerFormat) {
				t.Errorf("%s, byte %d of %d: %v wraps neither ErrCorrupt nor ErrNewerFormat", name, at, len(content), err)
			}
			if errors.Is(err, ErrCorrupt) {
				found[filepath.Ext(name)]++
			}
		}
	}
	if found[".sst"] == 0 {
		t.Error("no damage was found in tables")
	}
	t.Logf("damage found, by kind of file: %v", found)
}

func readFlipped(t *testing.T, v *Volume, name string, at int) (wrong string, err error) {
	t.Helper()
	w := v.cloneFlipped(t, name, at)
	defer func() {
		if p := recover(); p != nil {
			wrong = fmt.Sprintf("panic: %v", p)
		}
	}()
	e, err := w.Open("db")
	if err != nil {
		return "", err
	}
	wrong, err = readBack(e)
	_, _ = e.Close(), w.Close() // after damage they may complain
	return wrong, err
}
