package slacksim

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
)

// deliver brings an envelope to the app and waits for its ack.
func (s *Server) deliver(ctx context.Context, id, kind string, accepts bool, payload any) (json.RawMessage, error) {
	return s.sockets.deliver(ctx, id, kind, accepts, payload, 0, "")
}

// lost says whether an envelope was not answered.
func lost(err error) bool {
	return errors.Is(err, errNoSocket) || errors.Is(err, errNoAck) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func blank(text string) bool { return strings.TrimSpace(text) == "" }
