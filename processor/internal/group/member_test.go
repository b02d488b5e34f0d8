package group

import (
	"io"
	"runtime"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Requests about the seat end on several goroutines: what is told last is how the
// last one ended.
func TestAnswersAreToldInOrder(t *testing.T) {
	for range 200 {
		told := make(chan bool, 100)
		m := &Member{answered: func(ok bool) { runtime.Gosched(); told <- ok }}
		var all sync.WaitGroup
		for range 8 {
			for _, err := range []error{io.EOF, nil} {
				all.Go(func() { m.OnBrokerE2E(kgo.BrokerMetadata{}, kmsg.Heartbeat.Int16(), kgo.BrokerE2E{WriteErr: err}) })
			}
		}
		all.Wait()
		close(told)
		last := true
		for ok := range told {
			if ok == last {
				t.Fatalf("%v is told twice in a row", ok)
			}
			last = ok
		}
		if last == m.silent {
			t.Fatalf("silent is %v, and what was told last is %v", m.silent, last)
		}
	}
}
