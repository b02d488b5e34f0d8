package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What cannot be decoded ends the worker, what the client will hardly get over is
// told, and what it gets over is not.
func TestFailedReads(t *testing.T) {
	const silent, told, fatal = "silent", "told", "fatal"
	for _, tc := range []struct {
		err  error
		end  int64 // of the log, where the broker said so
		want string
	}{
		{errors.New("encoded crc 1 does not match calculated crc 2"), 9, fatal},
		{fmt.Errorf("unable to decompress batch: %w", io.ErrUnexpectedEOF), 9, fatal},
		{&kgo.ErrDecompressTooLarge{Topic: "in", Offset: 4}, 9, fatal},
		{kerr.TopicAuthorizationFailed, -1, fatal},
		{kerr.UnknownServerError, -1, told},
		{kerr.UnknownServerError, 9, told},
		{kerr.OffsetMovedToTieredStorage, 9, told},
		{errors.New("response exceeds BrokerMaxReadBytes"), 0, told},
		{kerr.NotLeaderForPartition, 9, silent},
		{kerr.LeaderNotAvailable, -1, silent},
		{kerr.UnknownLeaderEpoch, -1, silent},
		{kerr.RequestTimedOut, -1, silent},
		{kerr.KafkaStorageError, -1, silent},
		{context.Canceled, 0, silent},
		{context.DeadlineExceeded, 0, silent},
		{kgo.ErrClientClosed, 0, silent},
		{io.EOF, 0, silent},
		{os.NewSyscallError("read", syscall.ECONNRESET), 0, silent},
	} {
		fetches := kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: "in", Partitions: []kgo.FetchPartition{{Err: tc.err, HighWatermark: tc.end}}}}}}
		got := silent
		var trouble *TroubledError
		switch errs := deliver(fetches, readings{0: 0}); {
		case len(errs) == 1 && errors.As(errs[0], &trouble) && !Permanent(errs[0]):
			got = told
		case len(errs) == 1 && Permanent(errs[0]) && errors.Is(errs[0], tc.err) && strings.Contains(errs[0].Error(), `topic "in" partition 0`):
			got = fatal
		case len(errs) > 0:
			got = fmt.Sprint(errs)
		}
		if got != tc.want {
			t.Errorf("%v beside log end %d: %s, want %s", tc.err, tc.end, got, tc.want)
		}
	}
}
