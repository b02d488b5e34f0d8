package state

import (
	"crypto/rand"
	"fmt"
	"sync"

	"github.com/millrace/millrace/state/internal/engine"
)

// Memory is a Storage in memory, for tests and the test driver. Stores that are closed and opened again within one
// Memory value find what was applied. Nothing in it is ever corrupt, so Quarantine is Remove.
type Memory struct {
	processID string
	budget    budget

	mu    sync.Mutex // guards all below; never held while anything else is called that can wait
	notes map[string]string
	tasks map[string]*engine.Memory
	open  map[string]bool
}

var _ Storage = (*Memory)(nil)

// NewMemory returns an empty storage.
func NewMemory() *Memory {
	return &Memory{
		processID: newProcessID(),
		budget:    budget{total: defaultMemoryBytes / 2},
		notes:     map[string]string{},
		tasks:     map[string]*engine.Memory{},
		open:      map[string]bool{},
	}
}

// newProcessID makes a random UUID, version 4.
func newProcessID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// ProcessID implements Storage.
func (m *Memory) ProcessID() string { return m.processID }

// Note implements Storage.
func (m *Memory) Note(name string) (string, error) {
	if err := LegalName(name); err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.notes[name], nil
}

// SetNote implements Storage.
func (m *Memory) SetNote(name, value string) error {
	if err := checkNote(name, value); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.notes[name] = value
	return nil
}

// Open implements Storage.
func (m *Memory) Open(task string, id Identity, specs []Spec) (*Stores, error) {
	e, err := m.take(task)
	if err != nil {
		return nil, err
	}
	hooks := storeHooks{rebuilt: func() error { return nil }, closed: func() { m.release(task) }}
	s, err := openStores(e, id, specs, &m.budget, hooks)
	if err != nil {
		m.release(task)
		return nil, err
	}
	return s, nil
}

func (m *Memory) take(task string) (*engine.Memory, error) {
	if err := LegalName(task); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open[task] {
		return nil, fmt.Errorf("state: open task %s: %w; close its stores first", task, ErrLocked)
	}
	m.open[task] = true
	if m.tasks[task] == nil {
		m.tasks[task] = engine.NewMemory()
	}
	return m.tasks[task], nil
}

func (m *Memory) release(task string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.open, task)
}

// Remove implements Storage.
func (m *Memory) Remove(task string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open[task] {
		return fmt.Errorf("state: remove task %s: %w; close its stores first", task, ErrLocked)
	}
	delete(m.tasks, task)
	return nil
}

// Quarantine implements Storage.
func (m *Memory) Quarantine(task string) error { return m.Remove(task) }

// Close implements Storage. The content stays.
func (m *Memory) Close() error { return nil }
