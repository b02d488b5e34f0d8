package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/testdata"
)

// seedsVariable says with how many seeds the crashes are tested.
const seedsVariable = "DEMO_SEEDS"

// demoTimeout bounds one run of the binary.
const demoTimeout = 3 * time.Minute

// buildDir is where the binary is built; only TestMain sets it.
var buildDir string

// binary builds millrace, once.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildDir, "millrace")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build millrace: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "millrace-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	buildDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// millrace runs the binary and returns what it printed.
func millrace(t *testing.T, args ...string) (stdout []byte, stderr string, code int) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), demoTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	err = cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("millrace %v hangs; it said:\n%s", args, talk.String())
	}
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return out.Bytes(), talk.String(), cmd.ProcessState.ExitCode()
}

func write(t *testing.T, log string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(path, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// judge runs the demo over log and compares all three topics with the rules.
func judge(t *testing.T, log string, args ...string) (stderr string) {
	t.Helper()
	began := time.Now()
	stdout, stderr, code := millrace(t, append([]string{"demo", "--output", "json", "--input", write(t, log)}, args...)...)
	if code != 0 {
		t.Fatalf("exit code %d:\n%s", code, stderr)
	}
	want := recompute(log)
	compare(t, printed(t, stdout), want)
	t.Logf("%d windows, %d late, %d dead-lettered, as recomputed; %v", want.rows("web.traffic.5m"), want.rows("web.traffic.late"),
		want.rows("web.access.dead"), time.Since(began).Round(time.Millisecond))
	return stderr
}

func TestDemoEqualsTheRules(t *testing.T) {
	for name, log := range logs(1) {
		t.Run(name, func(t *testing.T) { judge(t, log) })
	}
}

// logs are the real log and its variants.
func logs(seed uint64) map[string]string {
	return map[string]string{
		"real":            testdata.WebAccessLog(),
		"late":            lateLog(seed),
		"broken":          brokenLog(testdata.WebAccessLog(), seed),
		"late and broken": brokenLog(lateLog(seed), seed),
	}
}

var killed = regexp.MustCompile(`(?m)^crash (\d+) of \d+: killed at (\S+), (\d+) commits so far$`)

// TestDemoCrash: the processor dies again and again, and nothing of it is seen
// in what it wrote. DEMO_SEEDS=20 is the full proof; by default each log is
// tried with a few crashes only.
func TestDemoCrash(t *testing.T) {
	seeds, crashes := 1, 5
	if s := os.Getenv(seedsVariable); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			t.Fatalf("%s=%q is no number of seeds", seedsVariable, s)
		}
		seeds, crashes = n, 20
	}
	for seed := 1; seed <= seeds; seed++ {
		for name, log := range logs(uint64(seed)) {
			t.Run(fmt.Sprintf("%s/seed %d", name, seed), func(t *testing.T) {
				stderr := judge(t, log, "--crash", strconv.Itoa(crashes), "--seed", strconv.Itoa(seed))
				if deaths := killed.FindAllStringSubmatch(stderr, -1); len(deaths) != crashes {
					t.Errorf("%d crashes instead of %d:\n%s", len(deaths), crashes, stderr)
				}
			})
		}
	}
}

func TestDemoSmallLogs(t *testing.T) {
	line := func(client, clock string) string {
		return client + ` - - [17/May/2015:` + clock + ` +0000] "GET / HTTP/1.1" 200 7` + "\n"
	}
	for name, log := range map[string]string{
		"nothing":                      "",
		"one line":                     line("a", "10:05:03"),
		"one broken line":              "\n",
		"no line ending":               strings.TrimSuffix(line("a", "10:05:03"), "\n"),
		"just in time":                 line("a", "10:00:00") + line("a", "10:05:59") + line("a", "10:04:59"),
		"just too late":                line("a", "10:00:00") + line("a", "10:06:00") + line("a", "10:04:59"),
		"late by an unparsable line":   line("b", "10:00:00") + line("a", "10:06:00") + "broken\n" + line("b", "10:01:00") + line("c", "10:01:00") + line("d", "10:01:00") + line("e", "10:01:00"),
		"a year from now":              strings.ReplaceAll(line("a", "10:00:00")+line("a", "10:01:00"), "2015", strconv.Itoa(time.Now().Year()+1)),
		"a clock that went to century": line("a", "10:00:00") + strings.ReplaceAll(line("a", "10:01:00"), "2015", "2085") + line("a", "10:02:00"),
	} {
		t.Run(name, func(t *testing.T) { judge(t, log) })
	}
}

func TestDemoRefuses(t *testing.T) {
	dir := t.TempDir()
	long := write(t, strings.Repeat("x", 1<<20))
	few := write(t, strings.Repeat("broken\n", 50))
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"missing file", []string{"--input", filepath.Join(dir, "no.log")}, "no.log: no such file or directory"},
		{"directory", []string{"--input", dir}, "is a directory; name a file"},
		{"endless line", []string{"--input", long}, "line 1 is longer than"},
		{"unreachable broker", []string{"--brokers", "127.0.0.1:1"}, "no broker answers at 127.0.0.1:1"},
		{"output", []string{"--output", "xml"}, `--output "xml": it is text or json`},
		{"crashes", []string{"--crash", "-1"}, "--crash -1"},
		{"argument", []string{"now"}, `unknown command "now"`},
		{"flag", []string{"--now"}, "unknown flag: --now"},
		{"state directory is a file", []string{"--state-dir", few}, "not a directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stdout, stderr, code := millrace(t, append([]string{"demo"}, c.args...)...)
			if code != 1 || !strings.Contains(stderr, c.want) || len(stdout) > 0 {
				t.Errorf("exit code %d, want 1 and %q:\n%s%s", code, c.want, stdout, stderr)
			}
		})
	}
}

// TestDemoSummary: the summary says what the JSON says.
func TestDemoSummary(t *testing.T) {
	log := brokenLog(lateLog(1), 1)
	want := recompute(log)
	stdout, stderr, code := millrace(t, "demo", "--input", write(t, log))
	if code != 0 {
		t.Fatalf("exit code %d:\n%s", code, stderr)
	}
	for name, n := range map[string]int{
		"records in": 10000, "windows out": want.rows("web.traffic.5m"),
		"late": want.rows("web.traffic.late"), "dead-lettered": want.rows("web.access.dead"),
	} {
		m := regexp.MustCompile(`(?m)^  ` + name + ` +([\d,]+)  `).FindSubmatch(stdout)
		if m == nil || strings.ReplaceAll(string(m[1]), ",", "") != strconv.Itoa(n) {
			t.Errorf("%s: want %d in\n%s", name, n, stdout)
		}
	}
	if n := len(regexp.MustCompile(`(?m)^  2015-05-\d\d \d\d:\d\d  \d\d:\d\d  `).FindAll(stdout, -1)); n != 10 {
		t.Errorf("%d busiest windows instead of ten in\n%s", n, stdout)
	}
}

// TestDemoKeepsItsState: with a directory of one's own it is there afterwards,
// and a second run beside a new broker is not misled by it.
func TestDemoKeepsItsState(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	for range 2 {
		judge(t, testdata.WebAccessLog(), "--state-dir", dir)
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "millrace-demo")); err != nil || len(entries) == 0 {
		t.Errorf("nothing is left in the state directory: %v, %v", entries, err)
	}
}

// TestDemoOnACluster: a cluster that is there already is used once; what the
// first run left there stops the second, with the way out.
func TestDemoOnACluster(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(4, "web.access"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	brokers := strings.Join(cluster.ListenAddrs(), ",")
	judge(t, testdata.WebAccessLog(), "--brokers", brokers, "--crash", "2")
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	configs, err := kadm.NewClient(client).DescribeTopicConfigs(t.Context(), "web.access", "web.traffic.5m", "web.traffic.late", "web.access.dead")
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range configs {
		for _, c := range topic.Configs {
			if c.Key == "retention.ms" && c.MaybeValue() != "-1" {
				t.Errorf("%s would be deleted after %s ms", topic.Name, c.MaybeValue())
			}
		}
	}
	_, stderr, code := millrace(t, "demo", "--brokers", brokers)
	if code != 1 || !strings.Contains(stderr, "holds records of another run in web.access, web.traffic.5m") ||
		!strings.Contains(stderr, `kafka-topics.sh --bootstrap-server `+brokers+` --delete --topic 'web\.access|web\.traffic\.5m`) {
		t.Errorf("the second run: exit code %d:\n%s", code, stderr)
	}
}

func TestDemoRefusesOtherTopics(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "web.traffic.late"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	_, stderr, code := millrace(t, "demo", "--brokers", cluster.ListenAddrs()[0])
	if code != 1 || !strings.Contains(stderr, `"web.traffic.late"`) || !strings.Contains(stderr, "exists with 3 partitions and the demo needs 4") {
		t.Errorf("exit code %d:\n%s", code, stderr)
	}
}
