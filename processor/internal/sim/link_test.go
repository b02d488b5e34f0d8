//go:build synctests

package sim

import (
	"context"
	"encoding/binary"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// refusal is how long a failed dial takes. It must not be zero: the client
// tries again at once, and virtual time would never move.
const refusal = 5 * time.Millisecond

// A link is the network of one process: it can lose requests and responses, be
// held up for a while, and be cut for good when the process dies. Everything
// may be called from several goroutines.
type link struct {
	net  *kfake.VirtualNetwork
	dice *dice
	// lossy says whether losses happen now.
	lossy                     func() bool
	lostRequest, lostResponse float64 // chances per write and read
	// slow is the chance that one request is held back for up to longestDelay,
	// and all behind it on the same connection; unanswered that one that ends a
	// transaction is carried out, and its response lost.
	slow, unanswered float64
	lost             func() // told of each loss

	mu    sync.Mutex // never held while anything waits
	dead  bool
	until time.Time // held up until then
	conns map[*conn]struct{}
}

// longestDelay bounds how long a request is held back.
const longestDelay = 3 * time.Second

type conn struct {
	net.Conn
	link *link
	mute atomic.Bool // the next response is lost
}

func refused(network string) error {
	time.Sleep(refusal)
	return &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
}

func lostConn(op string) error {
	return &net.OpError{Op: op, Net: "sim", Err: os.NewSyscallError(op, syscall.ECONNRESET)}
}

func (l *link) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	l.wait()
	if l.isDead() {
		return nil, refused(network)
	}
	inner, err := dial(ctx, l.net, network, addr)
	if err != nil {
		return nil, refused(network)
	}
	c := &conn{Conn: inner, link: l}
	l.mu.Lock()
	if l.dead { // killed while it was being dialed
		l.mu.Unlock()
		inner.Close()
		return nil, refused(network)
	}
	l.conns[c] = struct{}{}
	l.mu.Unlock()
	return c, nil
}

func (l *link) isDead() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

// wait blocks as long as the link is held up.
func (l *link) wait() {
	l.mu.Lock()
	d := time.Until(l.until)
	l.mu.Unlock()
	if d > 0 {
		time.Sleep(d)
	}
}

// pause holds up everything for d.
func (l *link) pause(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until := time.Now().Add(d); until.After(l.until) {
		l.until = until
	}
}

// kill cuts the link for good.
func (l *link) kill() {
	l.mu.Lock()
	l.dead = true
	conns := l.conns
	l.conns = map[*conn]struct{}{}
	l.mu.Unlock()
	for c := range conns {
		c.Conn.Close()
	}
}

func (l *link) lose(p float64) bool {
	if p == 0 || !l.lossy() || !l.dice.hit(p) {
		return false
	}
	l.lost()
	return true
}

// travelTime is how long every request is on its way. Without it a client that
// asks again at once, as one does whose fetch is answered by records it may not
// see yet, would ask for ever at one instant: virtual time stands still while
// anything runs.
const travelTime = 100 * time.Microsecond

// A path is a connection on which requests take their time.
type path struct{ net.Conn }

func (p path) Write(b []byte) (int, error) {
	time.Sleep(travelTime)
	return p.Conn.Write(b)
}

// dial connects to a broker by a path.
func dial(ctx context.Context, n *kfake.VirtualNetwork, network, addr string) (net.Conn, error) {
	c, err := n.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return path{c}, nil
}

func (c *conn) Write(b []byte) (int, error) {
	c.link.wait()
	if c.link.lose(c.link.lostRequest) {
		c.Conn.Close()
		return 0, lostConn("write")
	}
	if c.link.slow > 0 && c.link.lossy() && c.link.dice.hit(c.link.slow) {
		time.Sleep(c.link.dice.upTo(longestDelay))
	}
	if requestKey(b) == kmsg.EndTxn && c.link.lose(c.link.unanswered) {
		c.mute.Store(true)
	}
	return c.Conn.Write(b)
}

// requestKey is the kind of a request, which the client writes in one piece:
// its length, its key, and the rest.
func requestKey(b []byte) kmsg.Key {
	if len(b) < 6 {
		return -1
	}
	return kmsg.Key(binary.BigEndian.Uint16(b[4:]))
}

// Read loses what the broker has already answered.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.link.wait()
	if err == nil && (c.mute.Load() || c.link.lose(c.link.lostResponse)) {
		c.Conn.Close()
		return 0, lostConn("read")
	}
	return n, err
}

func (c *conn) Close() error {
	c.link.mu.Lock()
	delete(c.link.conns, c)
	c.link.mu.Unlock()
	return c.Conn.Close()
}
