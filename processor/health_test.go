package processor

import (
	"errors"
	"strings"
	"testing"

	"github.com/millrace/millrace/processor/internal/task"
)

// An App is ready when each worker knows its tasks, none is still elsewhere, and
// all run; it may have none.
func TestReadiness(t *testing.T) {
	a, b := task.ID{Partition: 1}, task.ID{Partition: 2}
	h := newHealth(2)
	for i, step := range []struct {
		do   func()
		want string // "ok..." or a part of the error
	}{
		{func() {}, "has not assigned"},
		{func() { h.seated(0, 0) }, "has not assigned"},
		{func() { h.seated(1, 0) }, "ok: 0 tasks"},
		{func() { h.seated(1, 2) }, "2 tasks have yet to be given up"},
		{func() { h.assigned(a) }, "2 tasks have yet to be given up"},
		{func() { h.seated(1, 0) }, "1 tasks are restoring"},
		{func() { h.restored(a) }, "ok: 1 tasks"},
		{func() { h.assigned(b) }, "1 tasks are restoring"},
		{func() { h.revoked(b) }, "ok: 1 tasks"},
		{func() { h.revoked(a) }, "ok: 0 tasks"},
		{func() { h.unseated(1) }, "the seat in the consumer group is lost"},
		{func() { h.answered(1, false) }, "the seat in the consumer group is lost"},
		{func() { h.seated(1, 0) }, "does not answer"},
		{func() { h.answered(1, true) }, "ok: 0 tasks"},
		{func() { h.answered(0, false); h.seated(0, 0) }, "does not answer"},
		{func() { h.answered(0, true) }, "ok: 0 tasks"},
		{func() { h.stopped(errors.New("broken")) }, "broken"},
	} {
		step.do()
		text, err := h.ready()
		if err != nil {
			text = err.Error()
		}
		if ok := strings.HasPrefix(step.want, "ok"); !strings.Contains(text, step.want) || ok != (err == nil) {
			t.Errorf("step %d: %q, %v; want %q", i, text, err, step.want)
		}
	}
}
