package statetest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/millrace/millrace/state"
)

const (
	// suiteSeeds is the number of random histories Run plays.
	suiteSeeds = 8
	// suiteSteps is the length of one history.
	suiteSteps = 2000
)

// Crasher is a storage that can lose what it has not synced.
type Crasher interface {
	// Crash keeps what was synced, and each unsynced block with a probability of percent in a hundred.
	Crash(percent int, seed uint64) error
}

// Run checks that a storage keeps what package state promises: it plays random histories of writes, commits, aborts,
// unknown outcomes, crashes, restarts and rebuilds against the stores, and against a model that is a few maps, and
// compares all that can be seen. open returns an empty storage for one history. Where the storage is a Crasher a
// crash is one, otherwise it is the end of the process without a flush.
func Run(t *testing.T, open func(t *testing.T) state.Storage) {
	for seed := range uint64(suiteSeeds) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			Play(t, open(t), seed, suiteSteps)
		})
	}
}

// Play plays the history of one seed on an empty storage and closes it.
func Play(t *testing.T, storage state.Storage, seed uint64, steps int) {
	t.Helper()
	h := &history{storage: storage, random: rand.New(rand.NewPCG(seed, 0)), model: newModel()}
	if err := h.play(steps); err != nil {
		t.Fatalf("seed %d, step %d (%s): %v", seed, h.step, h.doing, err)
	}
}

// history is one run of random operations on the stores of one task.
type history struct {
	storage state.Storage
	random  *rand.Rand
	model   *model
	step    int
	doing   string
	wall    int64

	stores *state.Stores
	kv     *state.KeyValueStore[string, string]
	win    *state.WindowStore[count]
}

// count is the usual value of a windowed count.
type count = state.Timestamped[int64]

// Stores makes a history a state.Opener.
func (h *history) Stores() *state.Stores { return h.stores }

// operation is one kind of step with its weight.
type operation struct {
	name   string
	weight int
	run    func(*history) error
}

func operations() []operation {
	return []operation{
		{"put", 120, (*history).put},
		{"delete", 40, (*history).delete},
		{"slot", 80, (*history).slot},
		{"get", 60, (*history).get},
		{"window slot", 300, (*history).windowSlot},
		{"window peek", 60, (*history).windowPeek},
		{"burst", 2, (*history).burst},
		{"drop", 8, (*history).drop},
		{"dirty", 10, (*history).checkDirty},
		{"compare", 6, (*history).compare},
		{"commit", 15, (*history).commit},
		{"prepare", 20, (*history).prepare},
		{"apply", 20, (*history).apply},
		{"abort", 6, (*history).abort},
		{"unknown, committed", 4, (*history).unknownCommitted},
		{"crash before the commit", 2, (*history).crashBefore},
		{"crash after the commit", 3, (*history).crashAfter},
		{"restart", 3, (*history).restart},
		{"rebuild", 1, (*history).rebuild},
	}
}

func (h *history) play(steps int) error {
	all, total := operations(), 0
	for _, op := range all {
		total += op.weight
	}
	h.doing = "open"
	if err := h.open(); err != nil {
		return err
	}
	for h.step = range steps {
		n := h.random.IntN(total)
		for _, op := range all {
			if n -= op.weight; n < 0 {
				h.doing = op.name
				if err := op.run(h); err != nil {
					return err
				}
				break
			}
		}
	}
	h.doing = "end"
	if err := h.compare(); err != nil {
		return err
	}
	if err := h.stores.Close(true); err != nil {
		return err
	}
	return h.storage.Close()
}
