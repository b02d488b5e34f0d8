package main

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestResetDemo(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	resetDemo(t, strings.Join(cluster.ListenAddrs(), ","))
}

// resetDemo checks that what the demo leaves on a cluster is planned and reset, and
// that then there is nothing to do. The group's offsets say what is the
// application's; where the group is gone it is asked about.
func resetDemo(t *testing.T, brokers string) {
	t.Helper()
	dir := t.TempDir()
	runDemo(t, brokers, dir)
	internal := internalTopics(t, brokers)
	if len(internal) == 0 {
		t.Fatal("the demo has no internal topics")
	}
	list := strings.Join(internal, ",")
	certain := []string{"delete  " + internal[0], "noted with the group's offsets", "partition 3", "delete  " + dir}
	resetSteps(t, brokers, dir, []resetStep{
		{"plan", nil, 0, append(certain, "Nothing is done yet; --execute does it."), ""},
		{"a list without them", []string{"--internal-topics="}, 0, certain, ""},
		{"done", []string{"--execute"}, 0, []string{
			"\ndeleted the group \"millrace-demo\"", "\ndeleted the topic " + internal[0] + "\n", "\nremoved " + dir, "starts over when it is started",
		}, ""},
		{"again", []string{"--execute", "--internal-topics", list}, 0, []string{"nothing to do", "gone  " + internal[0]}, ""},
		{"and without a list", []string{"--execute"}, 0, []string{"nothing to do"}, ""},
	})
	deleteTopics(t, brokers, "web.")
	runDemo(t, brokers, dir)
	if _, err := admin(t, brokers).DeleteGroup(t.Context(), "millrace-demo"); err != nil {
		t.Fatal(err)
	}
	resetSteps(t, brokers, dir, []resetStep{
		{"plan", nil, 0, []string{"ask  " + internal[0], `may belong to an application`, "--internal-topics " + list, "delete  " + dir, "Nothing is done yet; --execute does it."}, ""},
		{"uncertain", []string{"--execute"}, 1, []string{"ask  " + internal[0]}, "nothing is reset: it is not certain"},
		{"none", []string{"--internal-topics="}, 0, []string{"keep  " + internal[0], "not named"}, ""},
		{"done", []string{"--execute", "--internal-topics", list}, 0, []string{"delete  " + internal[0], "\ndeleted the topic " + internal[0] + "\n"}, ""},
	})
	if left := internalTopics(t, brokers); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func runDemo(t *testing.T, brokers, dir string) {
	t.Helper()
	if _, stderr, code := millrace(t, "demo", "--brokers", brokers, "--state-dir", dir, "--input", write(t, "broken\n")); code != 0 {
		t.Fatal(stderr)
	}
}

// A resetStep is one call of the command, with what it is to print.
type resetStep struct {
	name   string
	args   []string
	code   int
	stdout []string
	stderr string
}

func resetSteps(t *testing.T, brokers, dir string, steps []resetStep) {
	t.Helper()
	args := []string{"reset", "--application-id", "millrace-demo", "--brokers", brokers, "--state-dir", dir}
	for _, step := range steps {
		stdout, stderr, code := millrace(t, append(args, step.args...)...)
		if code != step.code || !strings.Contains(stderr, step.stderr) || (stderr != "") != (step.stderr != "") {
			t.Fatalf("%s: exit code %d, want %d\n%s%s", step.name, code, step.code, stdout, stderr)
		}
		for _, want := range step.stdout {
			if !strings.Contains(string(stdout), want) {
				t.Errorf("%s: there is no %q in\n%s", step.name, want, stdout)
			}
		}
	}
}

func admin(t *testing.T, brokers string) *kadm.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(brokers, ",")...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return kadm.NewClient(client)
}

func internalTopics(t *testing.T, brokers string) []string {
	t.Helper()
	return topicsWith(t, brokers, "millrace-demo-")
}

func deleteTopics(t *testing.T, brokers, prefix string) {
	t.Helper()
	if _, err := admin(t, brokers).DeleteTopics(t.Context(), topicsWith(t, brokers, prefix)...); err != nil {
		t.Fatal(err)
	}
}

func topicsWith(t *testing.T, brokers, prefix string) (names []string) {
	t.Helper()
	topics, err := admin(t, brokers).ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range topics.Names() {
		if strings.HasPrefix(topic, prefix) {
			names = append(names, topic)
		}
	}
	return names
}

func TestResetRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"no id", []string{"--brokers", "127.0.0.1:1"}, `"application-id" not set`},
		{"no brokers", []string{"--application-id", "app"}, `"brokers" not set`},
		{"unreachable broker", []string{"--application-id", "app", "--brokers", "127.0.0.1:1"}, `reset "app" at 127.0.0.1:1: no broker answers; check the addresses`},
		{"argument", []string{"--application-id", "app", "--brokers", "127.0.0.1:1", "now"}, `unknown command "now"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			stdout, stderr, code := millrace(t, append([]string{"reset"}, c.args...)...)
			if code != 1 || !strings.Contains(stderr, c.want) || len(stdout) > 0 {
				t.Errorf("exit code %d, want 1 and %q:\n%s%s", code, c.want, stdout, stderr)
			}
		})
	}
}
