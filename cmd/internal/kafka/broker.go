// Package kafka runs a real single-node Apache Kafka broker (KRaft) for tests
// and benchmarks, without containers: the jars come from Maven by package name
// and are kept in a cache, Java runs them. See testdata/kafka for version and
// settings.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/cmd/internal/proc"
)

// ErrUnavailable says that no broker can run on this machine because Java or
// Maven is missing. Everything else that goes wrong is another error.
var ErrUnavailable = errors.New("kafka: no broker can run here")

// errExited says that the broker's process ended before it was ready, as it does
// when another process has taken its port.
var errExited = errors.New("kafka: the broker ended before it was ready")

const (
	// startAttempts bounds how often new ports are tried: another process may
	// take a port between its choice and its use.
	startAttempts = 3
	// startTimeout bounds one attempt, from the process's start to the first
	// metadata answer.
	startTimeout = 60 * time.Second
	// readyInterval is the pause between two metadata requests of a starting
	// broker.
	readyInterval = 50 * time.Millisecond
	// heap is the most memory the broker's heap may take.
	heap = "1g"
)

// Broker is one running broker. Its methods may be called by any goroutine;
// Stop and Kill end it, and any number of further calls do nothing. The data is
// gone afterwards. If this process dies, so does the broker (on Linux).
type Broker struct {
	addr    string
	dir     string
	process *proc.Child
}

// Options change how a broker runs. The zero value is right for tests.
type Options struct {
	// Properties are added to testdata/kafka/server.properties and win over it.
	Properties map[string]string
}

// Start formats a new data folder, starts a broker on free ports of the loopback
// address and returns when it answers metadata requests: a few seconds later, on
// a machine's first time after fetching some 45 MB of jars. The error wraps
// ErrUnavailable if Java or Maven is missing, and quotes the broker's last words
// if it did not come up. The caller must call Stop or Kill.
func Start(ctx context.Context, opt Options) (*Broker, error) {
	java, err := find("java", "install a Java 17 runtime")
	if err != nil {
		return nil, err
	}
	source, err := sourceDir()
	if err != nil {
		return nil, err
	}
	jars, err := fetch(ctx, source)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		b, err := start(ctx, java, jars, source, opt)
		if err == nil || ctx.Err() != nil || attempt == startAttempts || !errors.Is(err, errExited) {
			return b, err
		}
	}
}

// Addr is the bootstrap address, host:port.
func (b *Broker) Addr() string { return b.addr }

// PID is the process id of the broker, to measure it.
func (b *Broker) PID() int { return b.process.PID() }

// Stop asks the broker to shut down (SIGTERM), waits until it has and removes
// its data. A broker that is still there when ctx ends is killed, and that is
// an error.
func (b *Broker) Stop(ctx context.Context) error {
	err := b.process.Terminate(ctx)
	if err != nil {
		err = fmt.Errorf("kafka: stopping the broker at %s: %w", b.addr, err)
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// Kill ends the broker at once (SIGKILL) and removes its data.
func (b *Broker) Kill() error {
	b.process.Kill()
	return os.RemoveAll(b.dir)
}

// start is one attempt. It cleans up after itself when it fails.
func start(ctx context.Context, java, jars, source string, opt Options) (_ *Broker, err error) {
	dir, err := os.MkdirTemp("", "millrace-kafka-")
	if err != nil {
		return nil, fmt.Errorf("kafka: folder for the broker's data: %w", err)
	}
	b := &Broker{dir: dir}
	defer func() {
		if err != nil {
			if b.process != nil {
				b.process.Kill()
			}
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	b.addr = fmt.Sprintf("127.0.0.1:%d", ports[0])
	settings, err := writeProperties(source, dir, ports[0], ports[1], opt.Properties)
	if err != nil {
		return nil, err
	}
	if err := format(ctx, java, jars, settings); err != nil {
		return nil, err
	}
	log := filepath.Join(dir, "broker.log")
	b.process, err = proc.Start(proc.Command{
		Args:   []string{java, "-Xmx" + heap, "-Dorg.apache.logging.log4j.level=WARN", "-cp", filepath.Join(jars, "*"), "kafka.Kafka", settings},
		Stdout: log, Stderr: log,
	})
	if err != nil {
		return nil, fmt.Errorf("kafka: the broker: %w", err)
	}
	return b, b.awaitReady(ctx)
}

// awaitReady returns when a metadata request has succeeded.
func (b *Broker) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not ready after %v", startTimeout))
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.addr))
	if err != nil {
		return fmt.Errorf("kafka: client for %s: %w", b.addr, err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	for {
		asked, cancel := context.WithTimeout(ctx, time.Second)
		meta, err := adm.BrokerMetadata(asked)
		cancel()
		if err == nil && len(meta.Brokers) == 1 {
			return nil
		}
		select {
		case <-b.process.Done():
			return fmt.Errorf("%w; its log ends: %s", errExited, b.process.LastWords())
		case <-ctx.Done():
			return fmt.Errorf("kafka: the broker at %s: %w (%v); its log ends: %s", b.addr, context.Cause(ctx), err, b.process.LastWords())
		case <-time.After(readyInterval):
		}
	}
}

// freePorts asks the system for ports nobody listens on.
func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("kafka: looking for a free port: %w", err)
		}
		defer func() { _ = l.Close() }() // only when all are chosen, so that they differ
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
