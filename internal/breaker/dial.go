package breaker

import (
	"context"
	"errors"
	"net"
	"sync"
)

// DialFunc opens a connection, as net.Dialer.DialContext does.
type DialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// Dial guards connections. One counts as a success with the first byte that arrives, so that a target that takes
// connections and never says a word is found out as well.
func (b *Breaker) Dial(next DialFunc) DialFunc {
	if b == nil {
		return next
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		done, err := b.allow()
		if err != nil {
			return nil, err
		}
		conn, err := next(ctx, network, address)
		if err != nil {
			done(err)
			return nil, err
		}
		return &listened{Conn: conn, ctx: ctx, done: done}, nil
	}
}

// listened is a connection until its first byte.
type listened struct {
	net.Conn
	ctx  context.Context //nolint:containedctx // of the question: its end tells a giving up from a silence
	done func(error)
	once sync.Once
}

// Read implements net.Conn.
func (l *listened) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	switch {
	case n > 0:
		l.end(nil)
	case err != nil:
		l.end(l.why(err))
	}
	return n, err
}

// why is the error that counts: when the context ends, drivers close the connection or move its deadline, which is all that
// a read then sees.
func (l *listened) why(err error) error {
	if ended := l.ctx.Err(); ended != nil {
		return ended
	}
	if errors.Is(err, net.ErrClosed) {
		return errNothing
	}
	return err
}

// Close implements net.Conn. One that was closed without a read tells nothing, unless its time was over.
func (l *listened) Close() error {
	err := l.Conn.Close()
	l.end(l.why(net.ErrClosed))
	return err
}

func (l *listened) end(err error) { l.once.Do(func() { l.done(err) }) }
