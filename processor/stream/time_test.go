package stream_test

import (
	"testing"
	"time"

	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/windowing"
)

// TestARecordWithoutAValueMovesNoTime: the topic is a backfill. Its event times
// are in the values and old, the Kafka timestamps are those of the copy.
func TestARecordWithoutAValueMovesNoTime(t *testing.T) {
	backfill := numbers
	backfill.EventTime = func(r *stream.Record[string, int64]) time.Time { return at(int(r.Value)) }
	d := processortest.New(t, func(b *stream.Builder) {
		minute := windowing.Tumbling(time.Minute).Emit(windowing.OnClose)
		stream.To(stream.CountWindows("w", stream.Window(stream.GroupByKey(stream.From(b, backfill)), minute)).Results, windows)
	})
	in, copied := processortest.Input(d, backfill), at(5000)
	in.Put(copied, "a", 0)
	in.PutRaw(copied, []byte("a"), nil)
	in.Put(copied, "a", 10)
	in.Put(copied, "a", 60)
	d.Commit()
	expect(t, briefWindows(processortest.Output(d, windows).Drain()), "a[0,60)=2@59999")
	if late, null := d.Dropped(stream.Late), d.Dropped(stream.NullValue); late != 0 || null != 1 {
		t.Errorf("late %d, null value %d", late, null)
	}
}

// TestARecordWithoutAnythingHasNoTimestamp: where the Kafka timestamp is the
// event time, a value has nothing to do with it.
func TestARecordWithoutAnythingHasNoTimestamp(t *testing.T) {
	d := processortest.New(t, func(b *stream.Builder) { stream.To(stream.From(b, numbers), results) })
	processortest.Input(d, numbers).PutRaw(time.UnixMilli(-1), []byte("a"), nil)
	d.Commit()
	if n := d.Dropped(stream.NoTimestamp); n != 1 || d.Dropped(stream.NullValue) != 0 {
		t.Errorf("no timestamp %d, null value %d", n, d.Dropped(stream.NullValue))
	}
}
