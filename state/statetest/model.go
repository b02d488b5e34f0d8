package statetest

import (
	"maps"
	"math"
	"slices"

	"github.com/millrace/millrace/state"
)

// model is what the stores should hold, as plain as can be: maps, copied at each Prepare.
type model struct {
	now, committed content
	dirtyKeys      []string           // of the key-value store, in the order of their first write
	dirtyCells     map[int64][]string // of the window store, likewise per window
	logs           [2][]*loggedRecord // changelogs by store index; nil entries are markers and aborted records
	position       state.Position     // of the last commit
	pending        []prepared         // oldest first
}

// prepared is a commit that Kafka has not decided yet.
type prepared struct {
	content  content
	position state.Position
	next     []int64 // for Apply
	from     [2]int  // where its records begin in the logs
}

// content is all that is in the stores.
type content struct {
	kv      map[string]string
	windows map[int64]map[string]count
	below   int64
	mark    int64
}

type loggedRecord struct{ key, value []byte }

func newModel() *model {
	empty := content{kv: map[string]string{}, windows: map[int64]map[string]count{}, below: math.MinInt64, mark: math.MinInt64}
	return &model{now: empty.clone(), committed: empty, dirtyCells: map[int64][]string{}}
}

func (c content) clone() content {
	c.kv = maps.Clone(c.kv)
	windows := make(map[int64]map[string]count, len(c.windows))
	for start, cells := range c.windows {
		windows[start] = maps.Clone(cells)
	}
	c.windows = windows
	return c
}

// starts are the open windows, ascending.
func (c content) starts() []int64 { return slices.Sorted(maps.Keys(c.windows)) }

func (m *model) put(key, value string) {
	m.now.kv[key] = value
	m.touch(key)
}

func (m *model) remove(key string) {
	delete(m.now.kv, key)
	m.touch(key)
}

func (m *model) touch(key string) {
	if !slices.Contains(m.dirtyKeys, key) {
		m.dirtyKeys = append(m.dirtyKeys, key)
	}
}

func (m *model) putCell(start int64, key string, v count) {
	if m.now.windows[start] == nil {
		m.now.windows[start] = map[string]count{}
	}
	m.now.windows[start][key] = v
	if !slices.Contains(m.dirtyCells[start], key) {
		m.dirtyCells[start] = append(m.dirtyCells[start], key)
	}
}

func (m *model) drop(below int64) {
	m.now.below = max(m.now.below, below)
	for start := range m.now.windows {
		if start < below {
			delete(m.now.windows, start)
			delete(m.dirtyCells, start)
		}
	}
}

// prepare makes what is now pending; commit makes the oldest pending committed.
func (m *model) prepare(p state.Position, next []int64, from [2]int) {
	m.pending = append(m.pending, prepared{m.now.clone(), p, next, from})
	m.clean()
}

func (m *model) commit() {
	m.committed, m.position = m.pending[0].content, m.pending[0].position
	m.pending = m.pending[1:]
}

// abort forgets all that is not committed. Its records stay in the logs, but no read-committed reader sees them.
func (m *model) abort() {
	if len(m.pending) > 0 {
		for i := range m.logs {
			clear(m.logs[i][m.pending[0].from[i]:])
		}
	}
	m.now, m.pending = m.committed.clone(), nil
	m.clean()
}

func (m *model) clean() {
	m.dirtyKeys = nil
	clear(m.dirtyCells)
}
