package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// cut is a TCP proxy that lets connections go wrong. It reads what goes to a Redis, command by command, so that a test can
// stop the bot right before or right after one of its writes.
type cut struct {
	to       string
	listener net.Listener
	served   sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	mode  string        // "" well, "latency", "half-open" (nothing passes, nothing is closed), "slow" (a few bytes at a time), "refuse"
	delay time.Duration // of a piece, in latency and slow
	tap   func(command string) boundary
}

// boundary is what a tap wants at a command.
type boundary struct{ before, after func() }

// newCut proxies a free port of loopback to an address, until the test ends.
func newCut(tb testing.TB, to string) *cut {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	c := &cut{to: to, listener: l, conns: map[net.Conn]bool{}}
	c.served.Go(c.accept)
	tb.Cleanup(func() { _ = l.Close(); c.set("refuse", 0); c.reset(); c.served.Wait() })
	return c
}

func (c *cut) addr() string { return c.listener.Addr().String() }

func (c *cut) accept() {
	for {
		in, err := c.listener.Accept()
		if err != nil {
			return
		}
		if mode, _ := c.now(); mode == "refuse" || !c.pass(in) {
			_ = in.Close()
		}
	}
}

// pass connects one connection through.
func (c *cut) pass(in net.Conn) bool {
	out, err := net.DialTimeout("tcp", c.to, time.Second)
	if err != nil {
		return false
	}
	c.mu.Lock()
	c.conns[in], c.conns[out] = true, true
	c.mu.Unlock()
	p := &pair{cut: c, in: in, out: out}
	c.served.Go(p.ask)
	c.served.Go(p.answer)
	return true
}

// set changes what happens from the next piece on; a delay of 0 is none.
func (c *cut) set(mode string, delay time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mode, c.delay = mode, delay
}

func (c *cut) now() (string, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mode, c.delay
}

// watch hands every command that goes to Redis to tap; nil watches nothing, and then anything may be proxied.
func (c *cut) watch(tap func(command string) boundary) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tap = tap
}

// reset cuts every connection with a RST.
func (c *cut) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // close sends RST, not FIN
		}
		_ = conn.Close()
	}
	clear(c.conns)
}

// pair is one connection through a cut.
type pair struct {
	*cut
	in, out net.Conn
	mute    bool   // under mu: what the server answers is lost
	then    func() // under mu: once the server has answered
}

func (p *pair) end() {
	_, _ = p.in.Close(), p.out.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, p.in)
	delete(p.conns, p.out)
}

// ask carries what the bot sends.
func (p *pair) ask() {
	defer p.end()
	p.mu.Lock()
	tap := p.tap
	p.mu.Unlock()
	if tap == nil {
		p.carry(p.out, p.in)
		return
	}
	from := bufio.NewReader(p.in)
	for {
		raw, command, err := readCommand(from)
		if err != nil {
			return
		}
		at := tap(command)
		if at.before != nil {
			at.before()
			return
		}
		if at.after != nil {
			p.mu.Lock()
			p.mute, p.then = true, at.after
			p.mu.Unlock()
		}
		if p.send(p.out, raw) != nil {
			return
		}
	}
}

// answer carries what the server sends.
func (p *pair) answer() { defer p.end(); p.carry(p.in, p.out) }

func (p *pair) carry(to, from net.Conn) {
	piece := make([]byte, 32<<10)
	for {
		n, err := from.Read(piece)
		if n > 0 && p.send(to, piece[:n]) != nil || err != nil {
			return
		}
	}
}

// send passes a piece on as the mode has it.
func (p *pair) send(to net.Conn, piece []byte) error {
	p.mu.Lock()
	mode, delay, mute, then := p.mode, p.delay, p.mute && to == p.in, p.then
	p.mu.Unlock()
	if mute {
		then()
		return io.EOF
	}
	step := len(piece)
	if mode == "slow" {
		step = 64
	}
	for len(piece) > 0 {
		if mode == "half-open" {
			return nil // swallowed: both ends believe in the connection
		}
		if delay > 0 {
			<-time.After(delay)
		}
		n := min(step, len(piece))
		if _, err := to.Write(piece[:n]); err != nil {
			return err
		}
		piece = piece[n:]
	}
	return nil
}

// readCommand reads one command of Redis's protocol: as it came, and as "NAME firstkey".
func readCommand(from *bufio.Reader) (raw []byte, command string, err error) {
	head, err := from.ReadBytes('\n')
	if err != nil {
		return nil, "", err
	}
	count, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(string(head), "*")))
	if err != nil || head[0] != '*' {
		return nil, "", fmt.Errorf("%q is no command", head)
	}
	raw = head
	var words []string
	for range count {
		size, err := from.ReadBytes('\n')
		if err != nil {
			return nil, "", err
		}
		n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(string(size), "$")))
		if err != nil {
			return nil, "", fmt.Errorf("%q is no length: %w", size, err)
		}
		word := make([]byte, n+2)
		if _, err := io.ReadFull(from, word); err != nil {
			return nil, "", err
		}
		raw = append(append(raw, size...), word...)
		words = append(words, string(word[:n]))
	}
	return raw, named(words), nil
}

// varying is what differs between two runs of one story: identifiers, times, names of connections.
var varying = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|\d{6,}(\.\d+)?|[A-Z2-7]{20,}|[0-9a-f]{32,}`)

// written are the commands that change something.
const written = " SET SETNX DEL UNLINK HSET HSETNX HDEL HINCRBY XADD ZADD ZREM SADD SREM RPUSH LPUSH INCR EXPIRE PEXPIRE EVALSHA EVAL "

// named tells a write as "COMMAND key", alike in every run; "" is a read, or what passes by itself all the time.
func named(words []string) string {
	name, key := strings.ToUpper(words[0]), 1
	if name == "EVALSHA" || name == "EVAL" {
		key = 3
	}
	if len(words) <= key || !strings.Contains(written, " "+name+" ") {
		return ""
	}
	where := varying.ReplaceAllString(words[key], "…")
	ours := strings.HasPrefix(where, "cdcbot:") && !strings.Contains(where, "lease") || strings.HasPrefix(where, "asynq:{") && strings.Contains(where, ":t:")
	if !ours {
		return ""
	}
	if key == 3 {
		name += " " + words[1][:min(6, len(words[1]))] // which script
	}
	return name + " " + where
}
