package readme

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What the README writes for the cluster and the state directory.
const (
	writtenBroker   = "localhost:9092"
	writtenStateDir = "/tmp/millrace"
)

// runTimeout bounds what the first program may take.
const runTimeout = 60 * time.Second

// A session is a command of the README with what it prints.
type session struct{ command, output string }

// sessions are the indented blocks of the README that begin with a prompt.
func sessions(t *testing.T) (all []session) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^    \$ (.*)\n((?:(?:    .*)?\n)*)`).FindAllStringSubmatch(readme(t), -1) {
		output := regexp.MustCompile(`(?m)^    `).ReplaceAllString(m[2], "")
		all = append(all, session{m[1], strings.TrimSpace(output)})
	}
	return all
}

// TestReset runs the README's first program over a few page views, stops it, and
// then makes it start over with the README's commands. They print what is
// written there.
func TestReset(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "views", "views-per-minute"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	broker, temporary := cluster.ListenAddrs()[0], t.TempDir()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, partition := range []int32{0, 1, 0} {
		view := &kgo.Record{Topic: "views", Partition: partition, Key: []byte("/"), Value: []byte("GET")}
		if err := client.ProduceSync(t.Context(), view).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	runUntil(t, strings.ReplaceAll(programs(t)[0], writtenBroker, broker), temporary, func(ctx context.Context) bool {
		offsets, err := kadm.NewClient(client).FetchOffsets(ctx, "views")
		first, _ := offsets.Lookup("views", 0)
		second, _ := offsets.Lookup("views", 1)
		return err == nil && first.At == 2 && second.At == 1
	})
	here := strings.NewReplacer(writtenBroker, broker, writtenStateDir, filepath.Join(temporary, "millrace"))
	there := strings.NewReplacer(broker, writtenBroker, filepath.Join(temporary, "millrace"), writtenStateDir)
	all := sessions(t)
	if len(all) != 2 {
		t.Fatalf("the README has %d commands with their output, want 2", len(all))
	}
	for _, s := range all {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", here.Replace(s.command))
		cmd.Dir = "../../.."
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(there.Replace(string(out))); err != nil || got != s.output {
			t.Errorf("%s: %v, printed\n%s\nand the README says\n%s", s.command, err, got, s.output)
		}
	}
}

// runUntil runs a program, with a directory for temporary files, until it is
// done, and stops it as an operator would.
func runUntil(t *testing.T, program, temporary string, done func(context.Context) bool) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "program")
	compile(t, program, binary)
	ctx, cancel := context.WithTimeout(t.Context(), runTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for !done(ctx) {
		select {
		case <-ctx.Done():
			_ = cmd.Wait()
			t.Fatalf("the program does not commit; it said\n%s", said.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
}
