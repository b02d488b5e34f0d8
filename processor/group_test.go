package processor_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor"
	"github.com/millrace/millrace/processor/stream"
)

// copyOther copies another topic than the words.
func copyOther(b *stream.Builder) {
	other := words
	other.Name = "other"
	stream.To(stream.From(b, other), stream.Topic[string, string]{Name: "copies", Key: words.Key, Value: words.Value})
}

// instance is one more process of the application, with a directory of its own.
func (c *cluster) instance(build func(*stream.Builder)) (r *run, restored chan string) {
	c.t.Helper()
	process := *c
	process.cfg.StateDir = c.t.TempDir()
	restored = make(chan string, 100)
	process.cfg.Events.TaskRestored = func(i processor.RestoreInfo) { restored <- i.Task }
	return process.start(build), restored
}

// hear waits for a word about an instance that must not end.
func (r *run) hear(word <-chan string) {
	r.t.Helper()
	select {
	case <-word:
	case err := <-r.done:
		r.t.Fatalf("the instance has ended: %v", err)
	}
}

// end stops instances that must have run well until then.
func end(t *testing.T, all ...*run) {
	t.Helper()
	for _, r := range all {
		r.stop()
		if err := r.wait(); err != nil {
			t.Errorf("an instance that fits has ended: %v", err)
		}
	}
}

// Who reads other topics is refused, told why, and disturbs nobody.
func TestANewcomerThatDoesNotFitIsRefused(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "words", "counts", "dead", "other", "copies")
	c.cfg.BoundedRun = ""
	first, ready := c.instance(countWords)
	first.hear(ready)
	first.hear(ready)
	newcomer, _ := c.instance(copyOther)
	err := newcomer.wait()
	for _, want := range []string{`"words"`, `"other"`, `group "app"`, "application id"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the newcomer's error does not say %s: %v", want, err)
		}
	}
	c.produce(word("a", "x"))
	if got := c.consume("counts", 1); got["a=1"] != 1 {
		t.Errorf("counts %v", got)
	}
	end(t, first)
}

// An instance for which there is no task is as ready as one that has some.
func TestASpareInstanceIsReady(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "words", "counts", "dead")
	c.cfg.BoundedRun, c.cfg.Listen, c.cfg.Workers = "", "127.0.0.1:0", 1
	first, ready := c.instance(countWords)
	first.hear(ready)
	first.hear(ready)
	second, ready2 := c.instance(countWords)
	second.hear(ready2)
	spare, _ := c.instance(countWords)
	for {
		status, body, err := spare.ask("/readyz")
		if status == http.StatusOK {
			if !strings.Contains(body, "0 tasks") {
				t.Errorf("it says %q", body)
			}
			break
		}
		select {
		case err := <-spare.done:
			t.Fatal(err)
		case <-spare.ctx.Done():
			t.Fatalf("the spare instance is not ready: %d %s %v", status, body, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	end(t, first, second, spare)
}

func (r *run) ask(path string) (status int, body string, err error) {
	addr := r.app.ListenAddr()
	if addr == "" {
		return 0, "", errors.New("nothing is served yet")
	}
	resp, err := http.Get("http://" + addr + path)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}
